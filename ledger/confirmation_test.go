package ledger_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// ofGuardians is the sample of what guardians say of their shares. It belongs to the
// vectors' vault, as it would be with guardians who recover its secret.
func (w *world) ofGuardians() []structure {
	v := w.vault.Change("vectors", ledgertest.Sharing(3, 2))
	return []structure{
		{"confirmation", ledger.LabelConfirm, v.ID(), v.Confirmation(ledgertest.GuardianKey(1), ledgertest.Start()), func(s ident.Signed) error {
			_, err := ledger.VerifyConfirmation(s, []ledger.Charter{v.Charter})
			return err
		}},
	}
}

func TestConfirmationRules(t *testing.T) {
	w := newWorld()
	key, other := ledgertest.GuardianKey(1), ident.SumDagCBOR([]byte("x"))
	for _, c := range []struct {
		want error
		rows map[string]func(*ledger.Confirmation)
	}{
		{ledger.ErrInvalid, map[string]func(*ledger.Confirmation){
			"charter of raw bytes": func(c *ledger.Confirmation) { c.Charter = ident.SumRaw(nil) },
			"clock before 1970":    func(c *ledger.Confirmation) { c.Clock = -1 },
			"clock too late":       func(c *ledger.Confirmation) { c.Clock = late },
		}},
		{ledger.ErrMismatch, map[string]func(*ledger.Confirmation){
			"another vault":            func(c *ledger.Confirmation) { c.Vault = other },
			"another share":            func(c *ledger.Confirmation) { c.Share[0]++ },
			"another guardian's share": func(c *ledger.Confirmation) { c.Share = ledgertest.Key("share 2").Seed() },
		}},
		{ledger.ErrCharter, map[string]func(*ledger.Confirmation){"another charter": func(c *ledger.Confirmation) { c.Charter = other }}},
		{ledger.ErrForbidden, map[string]func(*ledger.Confirmation){"a stranger": func(c *ledger.Confirmation) { c.By = ledgertest.Key("eve").Public() }}},
		{ident.ErrSignature, map[string]func(*ledger.Confirmation){
			"in another guardian's name": func(c *ledger.Confirmation) {
				c.By, c.Share = ledgertest.GuardianKey(2).Public(), ledgertest.Key("share 2").Seed()
			},
		}},
	} {
		rules(t, w, "confirmation", key, c.want, c.rows)
	}
}

// A confirmation counts on under charters that keep the shares as they are, and for no
// others.
func TestConfirmationAcrossCharters(t *testing.T) {
	v := ledgertest.NewVault("sharing", 4).Change("sharing", ledgertest.Sharing(3, 2))
	first, word := v.Charter, v.Confirmation(ledgertest.GuardianKey(0), ledgertest.Start())
	for name, tc := range map[string]struct {
		change func(*ledger.Charter)
		want   error
	}{
		"a longer retention": {func(c *ledger.Charter) { c.Retention++ }, nil},
		"another member key": {func(c *ledger.Charter) { c.Members[0].Vote = ledgertest.Key("renewed").Public() }, nil},
		"one more guardian":  {ledgertest.Sharing(4, 2), ledger.ErrCharter},
		"he is a guardian no more": {func(c *ledger.Charter) {
			c.Guardians = append([]ledger.Guardian{}, c.Guardians[1:]...)
		}, ledger.ErrCharter},
		"another's share": {func(c *ledger.Charter) {
			c.Guardians = append([]ledger.Guardian{}, c.Guardians...)
			c.Guardians[2].Share[0]++
		}, ledger.ErrCharter},
		"another secret":    {func(c *ledger.Charter) { c.Secret = []byte("another") }, ledger.ErrCharter},
		"no secret":         {func(c *ledger.Charter) { c.Secret = nil }, ledger.ErrCharter},
		"another threshold": {func(c *ledger.Charter) { c.Threshold = 3 }, ledger.ErrCharter},
		"no guardians":      {func(c *ledger.Charter) { c.Guardians, c.Threshold, c.Secret = nil, 0, nil }, ledger.ErrCharter},
	} {
		next := must(ledger.VerifyNextCharter(v.Next(tc.change), first))
		if _, err := ledger.VerifyConfirmation(word, []ledger.Charter{first, next}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := ledger.SignConfirmation(ledgertest.GuardianKey(1), next, ledgertest.Start()); err == nil {
			if _, err := ledger.VerifyConfirmation(now, []ledger.Charter{first}); !errors.Is(err, ledger.ErrCharter) {
				t.Errorf("%s: one of a charter that is not known: %v", name, err)
			}
			if _, err := ledger.VerifyConfirmation(now, []ledger.Charter{first, next}); err != nil {
				t.Errorf("%s: a new one: %v", name, err)
			}
		}
	}
}

func TestSignConfirmationRefuses(t *testing.T) {
	v := ledgertest.NewVault("sharing", 4)
	shares, approvers := v.Change("sharing", ledgertest.Sharing(3, 2)).Charter, v.Change("sharing", ledgertest.Guardians(3, 2)).Charter
	for name, tc := range map[string]struct {
		key  ident.PrivateKey
		ch   ledger.Charter
		at   time.Time
		want error
	}{
		"a stranger":                     {ledgertest.Key("eve"), shares, ledgertest.Start(), ledger.ErrForbidden},
		"guardians who recover nothing":  {ledgertest.GuardianKey(0), approvers, ledgertest.Start(), ledger.ErrInvalid},
		"a clock that is not of our age": {ledgertest.GuardianKey(0), shares, time.UnixMilli(-1), ledger.ErrInvalid},
	} {
		if _, err := ledger.SignConfirmation(tc.key, tc.ch, tc.at); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever knows the charter and the time can write what a guardian has signed, byte for
// byte: so nothing in it is of the share.
func TestConfirmationTellsNothing(t *testing.T) {
	v := ledgertest.NewVault("sharing", 4).Change("sharing", ledgertest.Sharing(3, 2))
	g := v.Charter.Guardians[1]
	public := wire.MustEncode(ledger.Confirmation{
		V: 1, Vault: v.ID(), Charter: v.Charter.CID(), By: g.Key, Share: g.Share, Clock: ledger.Millis(ledgertest.Start()),
	})
	if word := v.Confirmation(ledgertest.GuardianKey(1), ledgertest.Start()); !bytes.Equal(word.Object, public) {
		t.Error("there is more in it than in the charter")
	}
}

// Of two the later counts, of two of one time the one with the greater name: never both.
func TestNewerConfirmation(t *testing.T) {
	v := ledgertest.NewVault("sharing", 4).Change("sharing", ledgertest.Sharing(3, 2))
	next := must(ledger.VerifyNextCharter(v.Next(nil), v.Charter))
	charters := []ledger.Charter{v.Charter, next}
	read := func(ch ledger.Charter, after time.Duration) ledger.Confirmation {
		s := must(ledger.SignConfirmation(ledgertest.GuardianKey(0), ch, ledgertest.Start().Add(after)))
		return must(ledger.VerifyConfirmation(s, charters))
	}
	all := []ledger.Confirmation{read(v.Charter, 0), read(next, 0), read(v.Charter, time.Second), read(next, time.Second)}
	for i, a := range all {
		for j, b := range all {
			if i != j && a.Newer(b) == b.Newer(a) || i == j && a.Newer(b) || i >= 2 && j < 2 && !a.Newer(b) {
				t.Errorf("%d and %d: %v, %v", i, j, a.Newer(b), b.Newer(a))
			}
		}
	}
}
