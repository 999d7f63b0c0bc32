package member_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// guarded is a vault of 4 members with three guardians, of whom two have to approve, and
// clocks that a test sets.
type guarded struct {
	*world
	after time.Duration
}

var guardians = []string{"Ann", "Bob", "Eve"}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	v := ledgertest.NewVault("guarded", 4)
	c := v.Draft("guarded")
	for _, name := range guardians {
		c.Guardians = append(c.Guardians, ledger.Guardian{
			Name: name, Key: ledgertest.Key(name).Public(), Envelope: []byte("envelope of " + name), Share: ledgertest.Key(name + " share").Seed(),
		})
	}
	c.Threshold = 2
	v.Signed = must(ledger.SignCharter(v.Owner, c))
	v.Charter = must(ledger.VerifyFirstCharter(v.Signed))
	g := &guarded{world: &world{t: t, vault: v}}
	g.owner = v.OwnerLane()
	for i := range v.Members {
		dir := t.TempDir()
		cfg := config(dir, v, i)
		cfg.Now = func() time.Time { return ledgertest.Start().Add(g.after) }
		s := open(t, cfg)
		must(s.Accept(v.Signed))
		watch(t, s)
		g.stores, g.dirs = append(g.stores, s), append(g.dirs, dir)
	}
	return g
}

// takeover is a successor in which strangers are the members.
func (g *guarded) takeover() ident.Signed {
	return g.vault.Next(func(c *ledger.Charter) {
		c.Members = nil
		for i := range 4 {
			c.Members = append(c.Members, ledgertest.NewMember(fmt.Sprint("guardians' own ", i)).Listed())
		}
		slices.SortFunc(c.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
	})
}

// ask brings a request for a successor to all members, and returns its name.
func (g *guarded) ask(next ident.Signed) ident.CID {
	g.t.Helper()
	signed := must(ledger.SignRequest(g.vault.Owner, ledger.Request{
		Vault: g.id(), Charter: g.vault.Charter.CID(), Kind: ledger.RequestCharter, Successor: next.CID(), Clock: ledger.Millis(ledgertest.Start()),
	}))
	for _, s := range g.stores {
		if err := s.Request(g.id(), signed, next); err != nil {
			g.t.Fatal(err)
		}
	}
	return signed.CID()
}

func (g *guarded) opine(name string, stance ledger.Stance, request ident.CID) {
	g.t.Helper()
	signed := must(ledger.SignOpinion(ledgertest.Key(name), stance, ledger.Opinion{
		Vault: g.id(), Charter: g.vault.Charter.CID(), Request: request, Clock: ledger.Millis(ledgertest.Start().Add(g.after)),
	}))
	for _, s := range g.stores {
		if err := s.Opine(g.id(), stance, signed); err != nil {
			g.t.Fatal(err)
		}
	}
}

// refused checks that no member freezes for a successor, for a reason.
func (g *guarded) refused(next ident.Signed, want error) {
	g.t.Helper()
	for i, s := range g.stores {
		if _, err := s.Freeze(g.id(), next); !errors.Is(err, ledger.ErrLowers) || !errors.Is(err, want) {
			g.t.Errorf("member %d: %v, not %v", i, err, want)
		}
	}
}

// shown checks what members tell everybody who asks about a request.
func (g *guarded) shown(request ident.CID, want ledger.CaseState) {
	g.t.Helper()
	for i, s := range g.stores {
		var got []ledger.Case
		for _, p := range must(s.Cases(g.id(), ident.CID{})) {
			got = append(got, must(ledger.ParseCase(p)))
		}
		if len(got) != 1 || got[0].Asked().CID() != request || got[0].State != want || got[0].Successor.IsZero() {
			g.t.Errorf("member %d shows %+v, not %s", i, got, want)
		}
	}
}

// m guardians and the owner's key replace the members by nodes of their own, to release
// everything then. Nobody does it for them at once: it waits at every member, everybody
// sees what it waits for, and the third guardian ends it.
func TestGuardiansReplaceTheMembers(t *testing.T) {
	g := newGuarded(t)
	next := g.takeover()
	g.refused(next, ledger.ErrLowers)
	request := g.ask(next)
	g.shown(request, ledger.StateRequested)
	g.refused(next, ledger.ErrNotPassed)
	g.opine("Ann", ledger.Approve, request)
	g.opine("Bob", ledger.Approve, request)
	g.shown(request, ledger.StateCooling)
	g.after = time.Duration(g.vault.Charter.Cooling)*time.Second - time.Second
	g.refused(next, ledger.ErrNotPassed)
	g.opine("Eve", ledger.Veto, request)
	g.shown(request, ledger.StateVetoed)
	g.after += 30 * 24 * time.Hour
	g.refused(next, ledger.ErrVetoed)
	for i, s := range g.stores {
		if c, err := s.Charter(g.id()); err != nil || c.Number != 1 {
			t.Errorf("member %d: charter %d, %v", i, c.Number, err)
		}
	}
}

// Freezes that were got by lies do not help: an honest member judges the entry itself.
func TestLoweringIsJudgedAgainByTheVote(t *testing.T) {
	g := newGuarded(t)
	next := g.takeover()
	for _, waited := range []bool{false, true} {
		s := g.owner.Succession(ledger.CharterBody{Charter: next, Freezes: g.vault.Freezes(g.owner), Waited: waited})
		for i := range g.stores {
			if _, err := g.propose(i, s); !errors.Is(err, ledger.ErrLowers) {
				t.Errorf("member %d votes, waited %v: %v", i, waited, err)
			}
		}
	}
	harmless := g.vault.Next(nil)
	s := g.owner.Succession(ledger.CharterBody{Charter: harmless, Freezes: g.vault.Freezes(g.owner), Waited: true})
	if _, err := g.propose(0, s); !errors.Is(err, ledger.ErrLowers) {
		t.Errorf("it votes for what says that it waited and need not: %v", err)
	}
}

// With nobody against it, the same change passes when it has cooled, at each member by
// its own clock. What was approved for the old members counts for nothing under the new.
func TestLoweringPasses(t *testing.T) {
	g := newGuarded(t)
	next := g.vault.Next(func(c *ledger.Charter) { c.Trash-- })
	request := g.ask(next)
	g.opine("Ann", ledger.Approve, request)
	g.opine("Eve", ledger.Approve, request)
	g.refused(next, ledger.ErrNotPassed)
	g.after = time.Duration(g.vault.Charter.Cooling) * time.Second
	other := g.vault.Next(func(c *ledger.Charter) { c.Trash -= 2 })
	g.refused(other, ledger.ErrLowers)
	old := g.vault.Charter
	g.succeed(next, true, 0, 1, 2, 3)
	if c := must(g.stores[0].Chain(g.id())); c.Base().CID() != c.Current().CID() || c.Current().Trash != old.Trash-1 {
		t.Errorf("charter %d, base %d", c.Current().Number, c.Base().Number)
	}
	again := g.vault.Next(func(c *ledger.Charter) { c.Trash-- })
	g.refused(again, ledger.ErrLowers)
}

// A member whose clock is in doubt freezes for no lowering, and for everything else.
func TestClockInDoubt(t *testing.T) {
	g := newGuarded(t)
	next := g.vault.Next(func(c *ledger.Charter) { c.Trash-- })
	request := g.ask(next)
	g.opine("Ann", ledger.Approve, request)
	g.opine("Eve", ledger.Approve, request)
	g.after = time.Duration(g.vault.Charter.Cooling) * time.Second
	if err := g.stores[0].Close(); err != nil {
		t.Fatal(err)
	}
	cfg := config(g.dirs[0], g.vault, 0)
	cfg.Now = func() time.Time { return ledgertest.Start().Add(g.after) }
	cfg.Doubt = func() error { return errors.New("it jumped") }
	doubting := open(t, cfg)
	if _, err := doubting.Freeze(g.id(), next); !errors.Is(err, ledger.ErrClockDoubt) {
		t.Errorf("it freezes: %v", err)
	}
	g.freeze(1, next)
	if _, err := doubting.Freeze(g.id(), g.vault.Next(nil)); err != nil {
		t.Errorf("it does not freeze for what lowers nothing: %v", err)
	}
}
