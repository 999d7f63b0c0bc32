package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// newCircle is a couple in a vault with three guardians.
func newCircle(t *testing.T) *couple {
	return newCoupleOf(t, ledgertest.NewVault("bench", 7).Change("bench", ledgertest.Sharing(3, 2)))
}

// confirmed is what a member keeps of guardians, in the order of their keys.
func (b *bench) confirmed() (names []string) {
	list, err := b.ledgers.Confirmations(b.t.Context(), b.vault.ID())
	must(b.t, err)
	for _, s := range list {
		names = append(names, s.CID().Hex())
	}
	return names
}

// A member that was away hears from the others what guardians have confirmed; what it
// has itself that is newer stays.
func TestCatchUpWithConfirmations(t *testing.T) {
	c := newCircle(t)
	word := func(guardian int, ago time.Duration) ident.Signed {
		return c.there.vault.Confirmation(ledgertest.GuardianKey(guardian), ledgertest.Start().Add(-ago))
	}
	old, now, other := word(0, time.Hour), word(0, 0), word(1, time.Hour)
	ctx, id := t.Context(), c.there.vault.ID()
	for _, w := range []ident.Signed{old, other} {
		must(t, c.there.ledgers.Confirm(ctx, id, w))
	}
	must(t, c.away.ledgers.Confirm(ctx, id, now))
	must(t, c.puller.run(ctx))
	want := []string{now.CID().Hex(), other.CID().Hex()}
	got := c.away.confirmed()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("keeps %.8s, want %.8s", got, want)
	}
}

// guardianForger shows confirmations that no guardian has signed, and one that counts.
type guardianForger struct {
	peer
	list []ident.Signed
}

func (p guardianForger) Confirmations(context.Context, ident.CID) ([]ident.Signed, error) {
	return p.list, nil
}

func TestCatchUpWithForgedConfirmations(t *testing.T) {
	c := newCircle(t)
	v, now := c.there.vault, ledgertest.Start()
	real := v.Confirmation(ledgertest.GuardianKey(0), now)
	forged := v.Confirmation(ledgertest.GuardianKey(1), now)
	forged.Signature = v.Members[0].Vote.Sign(ledger.LabelConfirm, v.ID(), forged.Object).Signature
	late := v.Confirmation(ledgertest.GuardianKey(2), now.AddDate(1, 0, 0))
	c.peer = guardianForger{c.there.ledgers, []ident.Signed{forged, late, {}, real}}
	must(t, c.puller.run(t.Context()))
	if got := c.away.confirmed(); !slices.Equal(got, []string{real.CID().Hex()}) {
		t.Errorf("keeps %.8s", got)
	}
}
