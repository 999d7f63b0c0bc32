package vault

import (
	"context"
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// newCircle is a chamber whose three guardians have shares.
func newCircle(t *testing.T) *chamber {
	return newChamberOf(t, 4, 3, func(c *ledger.Charter) { c.Secret = []byte("sealed") })
}

// hear brings a confirmation of now to some members.
func (b *chamber) hear(guardian int, members ...int) ident.Signed {
	b.t.Helper()
	word, err := ledger.SignConfirmation(b.guardians[guardian], b.vault.Charter, b.now)
	b.must(err)
	for _, i := range members {
		b.must(b.stores[i].Confirm(b.vault.ID(), word))
	}
	return word
}

func (b *chamber) confirmed() []Confirmed {
	b.t.Helper()
	list, err := b.council.confirmations(b.t.Context(), []ledger.Charter{b.vault.Charter})
	b.must(err)
	return list
}

// What one member has heard of a guardian all come to know, and the newest counts. Of
// those who have said nothing it is said, too.
func TestConfirmationsAreSpread(t *testing.T) {
	b := newCircle(t)
	first := b.now
	b.hear(0, 0, 1)
	b.now = b.now.Add(day)
	b.hear(0, 2)
	b.hear(2, 3)
	want := []Confirmed{
		{Name: "guardian 0", Key: b.guardians[0].Public(), Time: first.Add(day), Kept: 1},
		{Name: "guardian 1", Key: b.guardians[1].Public()},
		{Name: "guardian 2", Key: b.guardians[2].Public(), Time: first.Add(day), Kept: 1},
	}
	same := func(a, b Confirmed) bool {
		return a.Name == b.Name && a.Key == b.Key && a.Time.Equal(b.Time) && a.Kept == b.Kept
	}
	if got := b.confirmed(); !slices.EqualFunc(got, want, same) {
		t.Errorf("%+v", got)
	}
	want[0].Kept, want[2].Kept = 4, 4
	if got := b.confirmed(); !slices.EqualFunc(got, want, same) {
		t.Errorf("once they were handed on: %+v", got)
	}
	if got := b.confirmed(); got[0].Old(first.Add(ConfirmationAge)) || !got[0].Old(first.Add(ConfirmationAge+2*day)) || got[1].Old(b.now.AddDate(9, 0, 0)) {
		t.Error("when a confirmation is old")
	}
}

// guardianLiar is a member that shows what no guardian has said, hides what one has, and
// takes nothing.
type guardianLiar struct {
	seat
	shows []ident.Signed
}

func (l guardianLiar) Confirmations(context.Context, ident.CID) ([]ident.Signed, error) {
	return l.shows, nil
}

func (l guardianLiar) Confirm(context.Context, ident.CID, ident.Signed) error { return nil }

// One member that lies makes no confirmation, and hides none that another has.
func TestConfirmationsAndALiar(t *testing.T) {
	b := newCircle(t)
	real := b.hear(1, 1)
	forged := real
	forged.Signature = b.vault.Members[0].Vote.Sign(ledger.LabelConfirm, b.vault.ID(), forged.Object).Signature
	elsewhere := ledgertest.NewVault("elsewhere", 4).Change("elsewhere", ledgertest.Sharing(3, 2))
	foreign := elsewhere.Confirmation(ledgertest.GuardianKey(0), b.now)
	b.seats[b.vault.Charter.Members[0].Node] = guardianLiar{b.seats[b.vault.Charter.Members[0].Node], []ident.Signed{forged, foreign, {}}}
	got := b.confirmed()
	if len(got) != 3 || !got[0].Time.IsZero() || got[1].Time.IsZero() || got[1].Kept != 1 || !got[2].Time.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := b.confirmed(); got[1].Kept != 3 {
		t.Errorf("%d members keep it", got[1].Kept)
	}
}

// Where guardians recover nothing there is nothing to confirm, and nobody is asked.
func TestConfirmationsWithoutShares(t *testing.T) {
	b := newChamber(t, 4, 3)
	b.council.member = nil
	if got := b.confirmed(); got != nil {
		t.Errorf("%+v", got)
	}
	b = newCircle(t)
	b.council.member = func(ledger.Member) seat { return deafSeat{} }
	if _, err := b.council.confirmations(t.Context(), []ledger.Charter{b.vault.Charter}); err == nil {
		t.Error("nobody answers, and nothing is said")
	}
}

// deafSeat is a member that does not answer.
type deafSeat struct{ seat }

func (deafSeat) Confirmations(context.Context, ident.CID) ([]ident.Signed, error) {
	return nil, context.DeadlineExceeded
}
