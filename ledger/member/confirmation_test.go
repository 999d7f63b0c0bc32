package member_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// newCircle is a court whose three guardians recover the secret, two together.
func newCircle(t testing.TB) *court { return newCourt(t, ledgertest.Sharing(3, 2)) }

// confirm brings a guardian's confirmation of now to a member.
func (c *court) confirm(i, guardian int) ident.Signed {
	c.t.Helper()
	word := c.vault.Confirmation(ledgertest.GuardianKey(guardian), c.now())
	mustNot(c.t, c.stores[i].Confirm(c.id(), word))
	return word
}

// wantConfirmed wants a member to keep exactly these, whatever their order.
func (c *court) wantConfirmed(i int, want ...ident.Signed) {
	c.t.Helper()
	var got, names []string
	for _, s := range must(c.stores[i].Confirmations(c.id())) {
		got = append(got, s.CID().Hex())
	}
	for _, s := range want {
		names = append(names, s.CID().Hex())
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		c.t.Errorf("member %d keeps %.8s, want %.8s", i, got, names)
	}
}

// confirmationFiles counts what a member has in files.
func (c *court) confirmationFiles(i int) int {
	return len(must(os.ReadDir(filepath.Join(c.dirs[i], c.id().Hex(), "confirmation"))))
}

// The newest confirmation of each guardian is kept, in whatever order they come, also
// after a crash and without the database.
func TestConfirmations(t *testing.T) {
	c := newCircle(t)
	c.wantConfirmed(0)
	old := c.confirm(0, 0)
	c.wait(day)
	other, now := c.confirm(0, 1), c.confirm(0, 0)
	c.wantConfirmed(0, now, other)
	mustNot(t, c.stores[0].Confirm(c.id(), now)) // again
	wantErr(t, c.stores[0].Confirm(c.id(), old), ledger.ErrSuperseded)
	c.wantConfirmed(0, now, other)
	mustNot(t, c.stores[1].Confirm(c.id(), now))
	wantErr(t, c.stores[1].Confirm(c.id(), old), ledger.ErrSuperseded)
	if n := c.confirmationFiles(0); n != 2 {
		t.Errorf("%d files of two guardians", n)
	}
	mustNot(t, c.stores[0].Close())
	c.stores[0] = open(t, c.config(0))
	c.wantConfirmed(0, now, other)
	mustNot(t, c.stores[0].Close())
	mustNot(t, os.Remove(filepath.Join(c.dirs[0], "member.db")))
	if found := must(member.Rebuild(c.config(0))); len(found.Skipped) != 0 {
		t.Error(found.Skipped)
	}
	c.stores[0] = open(t, c.config(0))
	c.wantConfirmed(0, now, other)
}

func TestConfirmationRefusals(t *testing.T) {
	c := newCircle(t)
	word := c.vault.Confirmation(ledgertest.GuardianKey(0), c.now())
	forged := word
	forged.Signature = ledgertest.GuardianKey(1).Sign(ledger.LabelConfirm, c.id(), word.Object).Signature
	elsewhere := ledgertest.NewVault("elsewhere", 4).Change("elsewhere", ledgertest.Sharing(3, 2))
	next := must(ledger.VerifyNextCharter(c.vault.Next(nil), c.vault.Charter))
	for name, tc := range map[string]struct {
		word ident.Signed
		want error
	}{
		"forged":                   {forged, ident.ErrSignature},
		"an approval":              {c.vault.Opinion(ledgertest.GuardianKey(0), ledger.Approve, c.id()), wire.ErrMalformed},
		"another vault":            {elsewhere.Confirmation(ledgertest.GuardianKey(0), c.now()), ledger.ErrMismatch},
		"a charter not in force":   {must(ledger.SignConfirmation(ledgertest.GuardianKey(0), next, c.now())), ledger.ErrCharter},
		"eleven minutes from now":  {c.vault.Confirmation(ledgertest.GuardianKey(0), c.now().Add(11*time.Minute)), ledger.ErrExpired},
		"nothing that can be read": {ident.Signed{Object: []byte{0xff}}, wire.ErrMalformed},
	} {
		if err := c.stores[0].Confirm(c.id(), tc.word); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantErr(t, c.stores[0].Confirm(ident.SumDagCBOR(nil), word), member.ErrUnknownVault)
	c.wantConfirmed(0)
	if n := c.confirmationFiles(0); n != 0 {
		t.Errorf("%d files", n)
	}
}

// What was confirmed holds on under a charter that keeps the shares, and not under one
// that deals them anew, whose guardians then confirm theirs.
func TestConfirmationsAcrossCharters(t *testing.T) {
	c := newCircle(t)
	all := []int{0, 1, 2, 3}
	first, second := c.confirm(0, 0), c.confirm(0, 1)
	c.succeed(c.vault.Next(func(ch *ledger.Charter) { ch.Retention++ }), false, all...)
	c.wantConfirmed(0, first, second)
	c.wait(day)
	later := c.confirm(0, 0) // names the new charter
	c.wantConfirmed(0, later, second)

	next := c.vault.Next(func(ch *ledger.Charter) {
		ch.Guardians = slices.Clone(ch.Guardians)
		for i := range ch.Guardians {
			ch.Guardians[i].Share = ledgertest.Key(fmt.Sprint("new share ", i)).Seed()
		}
		ch.Guardians[1].Key = ledgertest.Key("successor").Public()
	})
	c.pass(next)
	c.succeed(next, true, all...)
	c.wantConfirmed(0)
	wantErr(t, c.stores[0].Confirm(c.id(), later), ledger.ErrCharter)
	wantErr(t, c.stores[0].Confirm(c.id(), second), ledger.ErrCharter)
	anew := c.confirm(0, 0)
	c.wantConfirmed(0, anew)
	if n := c.confirmationFiles(0); n != 1 {
		t.Errorf("%d files of one guardian", n)
	}
}

// A charter that comes into force between the look at a confirmation and the writing of
// it: it is not kept for shares that it is not of.
func TestConfirmationsWhileTheCharterChanges(t *testing.T) {
	c := newCircle(t)
	c.confirm(1, 2)
	next := c.vault.Next(func(ch *ledger.Charter) {
		ch.Guardians = slices.Clone(ch.Guardians)
		ch.Guardians[0].Share[0]++
	})
	c.pass(next)
	s := c.candidate(next, true, 0, 1, 2, 3)
	link := c.certified(s, 0, 1, 2, 3)
	words := make([]ident.Signed, 40)
	for i := range words {
		c.wait(time.Second)
		words[i] = c.vault.Confirmation(ledgertest.GuardianKey(i%3), c.now())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, w := range words {
			if c.stores[1].Confirm(c.id(), w) != nil {
				return // from here on another charter is in force
			}
		}
	}()
	c.adopt(1, link)
	<-done
	c.wantConfirmed(1)
}

// pass has a successor asked for and approved, and waits for the cooling-off.
func (c *court) pass(next ident.Signed) {
	c.t.Helper()
	r := c.vault.DraftRequest(ledger.RequestCharter)
	r.Successor, r.Clock = next.CID(), ledger.Millis(c.now())
	request := must(ledger.SignRequest(c.vault.Owner, r))
	for _, s := range c.stores {
		mustNot(c.t, s.Request(c.id(), request, next))
	}
	c.opine(ledger.Approve, request.CID(), 0, 1)
	c.wait(15 * day)
}
