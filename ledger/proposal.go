package ledger

import (
	"fmt"

	"holdfast/internal/ident"
)

// Proposal asks members to vote for an entry at a place.
type Proposal struct {
	V int64 `cbor:"v"`
	Place
	Entry   ident.CID      `cbor:"entry"`
	Reports []ident.Signed `cbor:"reports,omitempty"` // above attempt 0: q of them
	Acks    []ident.Signed `cbor:"acks,omitempty"`    // of the entry below: none, or q at one place

	bound, final ident.CID
}

// SignProposal signs p with its lane's key, which is filled in.
func SignProposal(lane ident.PrivateKey, p Proposal) (ident.Signed, error) {
	p.V, p.Lane = version, lane.Public()
	if err := p.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(lane, LabelProposal, p.Vault, MaxProposal, p)
}

// VerifyProposal checks form and signature, the latter by the lane's key inside.
// The reports are for VerifyReports, everything else for CheckProposal.
func VerifyProposal(s ident.Signed) (Proposal, error) {
	var p Proposal
	if err := parse(LabelProposal, s.Object, MaxProposal, &p); err != nil {
		return Proposal{}, err
	}
	if err := p.validate(); err != nil {
		return Proposal{}, err
	}
	return verified(p, check(s, p.Lane, LabelProposal, p.Vault))
}

// Bind checks a verified proposal's reports and acks, and notes to which entry the
// ones bind it and which the others prove final.
func (p *Proposal) Bind(ch Charter) error {
	reports, err := p.VerifyReports(ch)
	if err != nil {
		return err
	}
	p.bound, _ = Bound(reports)
	if len(p.Acks) == 0 {
		return nil
	}
	at, entry, err := VerifyAcks(p.Acks, ch)
	switch {
	case err != nil:
		return err
	case at.Lane != p.Lane || at.Height != p.Height-1:
		return mismatch(LabelAck, "entry below %v, acks at %v", p.Place, at)
	}
	p.final = entry
	return nil
}

// Bound returns the entry to which Bind has found the proposal bound; undefined if its
// writer is free. That entry was certified before.
func (p Proposal) Bound() ident.CID { return p.bound }

// Final returns the entry below that Bind has found to be final; undefined without
// acks.
func (p Proposal) Final() ident.CID { return p.final }

// VerifyReports checks that a proposal above attempt 0 carries reports of a quorum
// of ch about its place, and returns them. Which entry they allow is not decided here.
func (p Proposal) VerifyReports(ch Charter) ([]Report, error) {
	reports := make([]Report, 0, len(p.Reports))
	seen := make(map[ident.PublicKey]bool, len(p.Reports))
	for _, s := range p.Reports {
		r, err := VerifyReport(s, ch)
		switch {
		case err != nil:
			return nil, err
		case r.Place != p.Place:
			return nil, mismatch(LabelReport, "%v", r.Place)
		case seen[r.Operator]:
			return nil, invalid(LabelProposal, "two reports of operator %s", r.Operator)
		}
		seen[r.Operator] = true
		reports = append(reports, r)
	}
	if p.Attempt > 0 && len(reports) < ch.Quorum() {
		return nil, fmt.Errorf("%d reports of %d: %w", len(reports), ch.Quorum(), ErrNoQuorum)
	}
	return reports, nil
}

func (p Proposal) validate() error {
	switch {
	case !structure(p.Entry):
		return invalid(LabelProposal, "entry names no structure")
	case len(p.Reports) > MaxMembers || len(p.Acks) > MaxMembers:
		return invalid(LabelProposal, "%d reports, %d acks", len(p.Reports), len(p.Acks))
	case (p.Attempt > 0) != (len(p.Reports) > 0):
		return invalid(LabelProposal, "%d reports at attempt %d", len(p.Reports), p.Attempt)
	}
	return p.Place.validate(LabelProposal)
}
