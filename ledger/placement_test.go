package ledger_test

import (
	"errors"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

func TestPlacementRefusals(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[1]
	sign := func(change func(*ledger.Receipt)) ident.Signed {
		r := must(ledger.VerifyReceipt(w.later().Receipt, m.Vote.Public(), w.vault.ID()))
		change(&r)
		return must(ledger.SignReceipt(m.Vote, r))
	}
	stranger := ledgertest.NewMember("stranger")
	for what, c := range map[string]struct {
		change func(*ledger.Placement)
		want   error
	}{
		"valid":               {func(*ledger.Placement) {}, nil},
		"another node's cert": {func(l *ledger.Placement) { l.Cert = w.vault.Members[0].Certificate }, ident.ErrSignature},
		"receipt about another": {func(l *ledger.Placement) {
			l.Receipt = sign(func(r *ledger.Receipt) { r.Node = stranger.Node.Public() })
		}, ledger.ErrReceipt},
		"receipt of a commit":   {func(l *ledger.Placement) { l.Receipt = sign(func(r *ledger.Receipt) { r.Nonce[0] = 1 }) }, ledger.ErrReceipt},
		"operator not admitted": {func(l *ledger.Placement) { *l = byStranger(w, stranger) }, ledger.ErrHolder},
		"another member's node": {func(l *ledger.Placement) {
			thief := w.vault.Members[2]
			thief.Node = m.Node // whom he certifies as his own, with a vote key that he has
			thief.Certificate = must(ledger.SignNodeCertificate(thief.Operator, thief.Describe()))
			*l = byStranger(w, thief)
		}, ledger.ErrHolder},
		"certificate out of date":    {func(l *ledger.Placement) { l.Receipt = sign(func(r *ledger.Receipt) { r.Time = 0 }) }, ledger.ErrExpired},
		"certificate that is forged": {func(l *ledger.Placement) { l.Cert.Signature[0] ^= 1 }, ident.ErrSignature},
	} {
		l := w.later()
		c.change(&l)
		if _, _, err := l.Verify(w.vault.Charter); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", what, err, c.want)
		}
	}
}

func byStranger(w *world, m ledgertest.Member) ledger.Placement {
	r := must(ledger.VerifyReceipt(w.later().Receipt, w.vault.Members[1].Vote.Public(), w.vault.ID()))
	r.Node = m.Node.Public()
	return ledger.Placement{Receipt: must(ledger.SignReceipt(m.Vote, r)), Cert: m.Certificate}
}

func TestCheckLater(t *testing.T) {
	w := newWorld()
	ch := w.vault.Charter
	r, _, err := w.later().Verify(ch)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  time.Time
		want error
	}{
		{ledger.Time(r.Time), nil},
		{ledger.Time(r.Time).Add(-ledger.ClockSkew), nil},
		{ledger.Time(r.Time).Add(-ledger.ClockSkew - time.Second), ledger.ErrReceipt},
		{ledger.Time(r.Until).Add(-ledger.LeastLeft), nil},
		{ledger.Time(r.Until).Add(-ledger.LeastLeft + time.Second), ledger.ErrReceipt},
	} {
		if err := r.CheckLater(ch, c.now); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c.now, err)
		}
	}
	r.Charter = ident.SumDagCBOR(nil)
	if err := r.CheckLater(ch, ledger.Time(r.Time)); !errors.Is(err, ledger.ErrCharter) {
		t.Errorf("another charter: %v", err)
	}
}
