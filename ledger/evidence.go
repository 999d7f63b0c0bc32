package ledger

import (
	"bytes"
	"slices"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelEvidence names evidence in errors; it is not signed on its own.
const labelEvidence ident.Label = "evidence"

// Evidence is what somebody has signed twice and may sign once: two proposals of a
// lane's key, or two certificates, for one place and different entries. It is verified
// with the charter alone.
type Evidence struct {
	V         int64          `cbor:"v"`
	Proposals []ident.Signed `cbor:"proposals,omitempty"` // none or two
	Certs     []Raw          `cbor:"certs,omitempty"`     // none or two
}

// Accused is what evidence proves.
type Accused struct {
	Place     Place             // where
	Entries   [2]ident.CID      // sorted
	Operators []ident.PublicKey // members that voted for both, sorted; none if the lane's key is accused
}

// Equivocated returns the evidence of two proposals, the same in either order.
func Equivocated(a, b ident.Signed) Evidence {
	if bytes.Compare(a.Object, b.Object) > 0 {
		a, b = b, a
	}
	return Evidence{Proposals: []ident.Signed{a, b}}
}

// Forked returns the evidence of two encoded certificates, the same in either order.
func Forked(a, b []byte) Evidence {
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	return Evidence{Certs: []Raw{a, b}}
}

// ParseEvidence checks the form of evidence. What it proves is for Verify.
func ParseEvidence(p []byte) (Evidence, error) {
	var e Evidence
	if err := parse(labelEvidence, p, MaxEvidence, &e); err != nil {
		return Evidence{}, err
	}
	return verified(e, e.validate())
}

// Encode returns e's bytes, at most MaxEvidence of them.
func (e Evidence) Encode() ([]byte, error) {
	e.V = version
	if err := e.validate(); err != nil {
		return nil, err
	}
	p, err := wire.Encode(e)
	if err == nil && len(p) > MaxEvidence {
		err = invalid(labelEvidence, "%d bytes", len(p))
	}
	return verified(p, err)
}

func (e Evidence) validate() error {
	if p, c := len(e.Proposals), len(e.Certs); p+c != 2 || p == 1 {
		return invalid(labelEvidence, "%d proposals and %d certificates", p, c)
	}
	return nil
}

// Verify checks both signatures, or all votes, under a charter, and returns who has
// signed twice. Of two certificates these are more than f members, whatever the
// others did.
func (e Evidence) Verify(ch Charter) (Accused, error) {
	if err := e.validate(); err != nil {
		return Accused{}, err
	}
	if len(e.Certs) == 2 {
		return e.forked(ch)
	}
	a, err := VerifyProposal(e.Proposals[0])
	if err != nil {
		return Accused{}, err
	}
	b, err := VerifyProposal(e.Proposals[1])
	if err != nil {
		return Accused{}, err
	}
	if err := a.under(ch, labelEvidence); err != nil {
		return Accused{}, err
	}
	return accused(a.Place, b.Place, a.Entry, b.Entry)
}

func (e Evidence) forked(ch Charter) (Accused, error) {
	a, err := VerifyCertificate(e.Certs[0], ch)
	if err != nil {
		return Accused{}, err
	}
	b, err := VerifyCertificate(e.Certs[1], ch)
	if err != nil {
		return Accused{}, err
	}
	out, err := accused(a.place, b.place, a.Entry, b.Entry)
	if err != nil {
		return Accused{}, err
	}
	for _, k := range a.Voters() {
		if slices.Contains(b.Voters(), k) {
			out.Operators = append(out.Operators, k)
		}
	}
	return out, nil
}

// accused holds that two verified structures are for one place and two entries.
func accused(a, b Place, first, second ident.CID) (Accused, error) {
	if a != b || first == second {
		return Accused{}, mismatch(labelEvidence, "%v and %v", a, b)
	}
	entries := [2]ident.CID{first, second}
	slices.SortFunc(entries[:], ident.CID.Compare)
	return Accused{Place: a, Entries: entries}, nil
}
