package ledger_test

import (
	"errors"
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Evidence names who has signed both, whatever the order in which it was found.
func TestEvidence(t *testing.T) {
	w := newWorld()
	a := must(w.equivocated().Verify(w.vault.Charter))
	entries := [2]ident.CID{w.second.Entry.CID(), w.twin().Entry.CID()}
	slices.SortFunc(entries[:], ident.CID.Compare)
	if a.Place != w.second.Propose().Place || a.Entries != entries || a.Operators != nil {
		t.Errorf("%+v", a)
	}
	f := w.forked()
	a = must(f.Verify(w.vault.Charter))
	want := []ident.PublicKey{w.vault.Members[1].Operator.Public(), w.vault.Members[2].Operator.Public()}
	if a.Place != w.second.Propose().Place || a.Entries != entries || !slices.Equal(a.Operators, want) {
		t.Errorf("%+v", a)
	}
	if len(want) <= w.vault.Charter.Faults() {
		t.Error("no more than may lie")
	}
	if again := ledger.Forked(f.Certs[1], f.Certs[0]); !slices.Equal(must(again.Encode()), must(f.Encode())) {
		t.Error("the order counts")
	}
}

// What proves nothing is refused.
func TestEvidenceOfNothing(t *testing.T) {
	w := newWorld()
	ch := w.vault.Charter
	lane := w.vault.Lane(w.device)
	for name, row := range map[string]struct {
		e    ledger.Evidence
		want error
	}{
		"one proposal twice":      {ledger.Equivocated(w.second.Proposal, w.second.Proposal), ledger.ErrMismatch},
		"another attempt":         {ledger.Equivocated(w.second.Proposal, lane.Again(w.twin(), 1, w.reports()...)), ledger.ErrMismatch},
		"another height":          {ledger.Equivocated(w.first.Proposal, w.second.Proposal), ledger.ErrMismatch},
		"one certificate twice":   {ledger.Forked(w.vault.Certificate(w.second), w.vault.CertificateOf(w.second, 0, 1, 2, 3)), ledger.ErrMismatch},
		"certificates, attempts":  {ledger.Forked(w.vault.Certificate(w.second), w.vault.CertificateOf(w.twin(), 1, 1, 2, 3)), ledger.ErrMismatch},
		"a forged proposal":       {ledger.Equivocated(w.second.Proposal, ident.Signed{Object: w.twin().Proposal.Object}), ident.ErrSignature},
		"a certificate of nobody": {ledger.Forked(w.vault.Certificate(w.second), w.twin().Proposal.Object), wire.ErrMalformed},
		"nothing":                 {ledger.Evidence{V: 1}, ledger.ErrInvalid},
		"one of each":             {ledger.Evidence{V: 1, Proposals: []ident.Signed{w.second.Proposal}, Certs: []ledger.Raw{w.vault.Certificate(w.second)}}, ledger.ErrInvalid},
		"three":                   {ledger.Evidence{V: 1, Proposals: []ident.Signed{w.second.Proposal, w.twin().Proposal, w.first.Proposal}}, ledger.ErrInvalid},
	} {
		if _, err := row.e.Verify(ch); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
	if _, err := (ledger.Evidence{Certs: []ledger.Raw{make([]byte, ledger.MaxEvidence), {0}}}).Encode(); err == nil {
		t.Error("evidence without an end")
	}
}

// Acks prove an entry final if they are a quorum's, all for one place.
func TestVerifyAcks(t *testing.T) {
	w := newWorld()
	ch := w.vault.Charter
	acks := w.acks(w.first, 4)
	at, entry, err := ledger.VerifyAcks(acks[1:], ch)
	if err != nil || entry != w.first.Entry.CID() || at.Height != 1 || at.Attempt != 1 {
		t.Errorf("%v %v %v", at, entry, err)
	}
	other := w.acks(w.second, 4)
	for name, row := range map[string]struct {
		acks []ident.Signed
		want error
	}{
		"too few":     {acks[:2], ledger.ErrNoQuorum},
		"one twice":   {[]ident.Signed{acks[0], acks[1], acks[0]}, ledger.ErrInvalid},
		"two entries": {[]ident.Signed{acks[0], acks[1], other[2]}, ledger.ErrMismatch},
	} {
		if _, _, err := ledger.VerifyAcks(row.acks, ch); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := must(ledger.VerifyProposal(w.vault.Lane(w.device).Above(w.second, other...)))
	if err := p.Bind(ch); !errors.Is(err, ledger.ErrMismatch) {
		t.Errorf("acks of the entry itself: %v", err)
	}
	p = must(ledger.VerifyProposal(w.above()))
	if err := p.Bind(ch); err != nil || p.Final() != w.first.Entry.CID() || p.Bound().Defined() {
		t.Errorf("%v, %v", p.Final(), err)
	}
}
