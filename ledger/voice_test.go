package ledger_test

import (
	"errors"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// Who may ask, who has a say, and who may take back: with guardians and without.
func TestWhoHasASay(t *testing.T) {
	const (
		none = 1 << iota
		release
		expiry
		charter
		approve
		veto
		undo
	)
	full, revoked, appends, reads := ledgertest.Key("full"), ledgertest.Key("revoked"), ledgertest.Key("append"), ledgertest.Key("read")
	for _, c := range []struct {
		guardians int
		who       string
		may       int
	}{
		{3, "owner", release | expiry | charter | undo},
		{3, "guardian", approve | veto | undo},
		{3, "full", release | expiry | undo},
		{3, "append", none},
		{3, "read", none},
		{3, "revoked", none},
		{3, "stranger", none},
		{0, "owner", release | expiry | charter | veto | undo},
		{0, "guardian", none},
		{0, "full", expiry | veto | undo},
		{0, "append", none},
		{0, "revoked", none},
		{0, "stranger", none},
	} {
		v := ledgertest.NewVault("voices", 4)
		if c.guardians > 0 {
			v = v.Change("voices", ledgertest.Guardians(c.guardians, 2))
		}
		m := newMemory(v.Charter)
		for key, rights := range map[string]ledger.Rights{"full": ledger.Full, "revoked": ledger.Full, "append": ledger.Append, "read": ledger.Read} {
			k := ledgertest.Key(key)
			m.grants[k.Public()] = must(ledger.VerifyGrant(v.Grant(k, rights), v.Charter.Owner, v.ID()))
		}
		m.revoked[revoked.Public()] = true
		key := map[string]ident.PrivateKey{
			"owner": v.Owner, "guardian": ledgertest.GuardianKey(1), "full": full, "append": appends, "read": reads,
			"revoked": revoked, "stranger": ledgertest.Key("stranger"),
		}[c.who].Public()
		now := ledgertest.Start()
		ask := func(kind ledger.RequestKind) error {
			return ledger.CheckAsker(m, ledger.Request{Kind: kind, By: key}, now)
		}
		for may, err := range map[int]error{
			release: ask(ledger.RequestRelease), expiry: ask(ledger.RequestExpiry), charter: ask(ledger.RequestCharter),
			approve: ledger.CheckVoice(m, ledger.Approve, key, now), veto: ledger.CheckVoice(m, ledger.Veto, key, now),
			undo: ledger.CheckUndoer(m, key, now),
		} {
			if allowed := c.may&may != 0; allowed != (err == nil) || !allowed && !errors.Is(err, ledger.ErrForbidden) {
				t.Errorf("%s with %d guardians, right %b: %v", c.who, c.guardians, may, err)
			}
		}
	}
}
