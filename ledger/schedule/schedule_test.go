package schedule

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"holdfast/ledger"
)

// The flags of longer runs: go test ./ledger/schedule -schedules 1000000 -seed 7
var (
	schedules = flag.Int("schedules", 20_000, "how many random schedules each test plays")
	seed      = flag.Uint64("seed", 0, "of what is random; 0: another one each time")
)

// newSeed is logged, so that a run can be repeated with -seed.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed %d", s)
	return s
}

// tally counts what schedules came to, to show that they were not about nothing.
type tally struct{ certs, finals, charters, releases, erased int }

func (n *tally) add(w *world) {
	n.certs, n.finals, n.charters = n.certs+len(w.certs), n.finals+len(w.final), n.charters+len(w.force)
	for _, r := range w.releases {
		if r.certified {
			n.releases++
		}
		if r.erased {
			n.erased++
		}
	}
}

// forgeLane plays one schedule of a lying writer in one lane.
func forgeLane(v vault, random *rand.Rand) *world {
	w := newWorld(v, random)
	g := forger{lanes: 1, heights: 1 + random.Int64N(3), tries: 2 + random.Int64N(3), forks: 2}
	for range 8 + random.IntN(24) {
		g.campaign(w)
	}
	return w
}

// forgeVault plays one schedule of lying writers in two lanes, one of them the owner's,
// with changes of charters and releases between them.
func forgeVault(v vault, random *rand.Rand) *world {
	w := newWorld(v, random)
	g := forger{lanes: 2, heights: 3, tries: 1 + random.Int64N(3), forks: 1 + random.IntN(2)}
	for range 20 + random.IntN(60) {
		if random.IntN(2) == 0 {
			g.meddle(w)
		} else {
			g.campaign(w)
		}
	}
	return w
}

// forgeRelease plays one schedule about one height of a device's lane and releases of what
// its entries refer to.
func forgeRelease(v vault, random *rand.Rand) *world {
	w := newWorld(v, random)
	w.releases = []release{{takes: 1}}
	g := forger{first: deviceLane, lanes: 1, heights: 1, tries: 4, forks: 2}
	for range 8 + random.IntN(24) {
		g.campaign(w)
		if random.IntN(3) == 0 {
			for _, m := range w.some() {
				w.consent(m, 0)
			}
		}
	}
	return w
}

// play runs schedules until one finds what must not be, and says which and what.
func play(count int, seed uint64, v func(*rand.Rand) vault, schedule func(vault, *rand.Rand) *world) (n tally, played int, found string) {
	for i := range count {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		w := schedule(v(random), random)
		n.add(w)
		if len(w.broken) > 0 {
			return n, i + 1, fmt.Sprintf("schedule %d, %d members: %s", i, w.members, w.broken[0])
		}
	}
	return n, count, ""
}

// Whatever a lying writer and f lying members do, in any order: no two certificates at
// one place, no two final entries at one height, no final entry that is lost.
func TestForgedLane(t *testing.T) { hold(t, forgeLane) }

// The same with the owner's key in the forger's hands: charters that succeed one another
// and releases take nothing from what is final.
func TestForgedVault(t *testing.T) { hold(t, forgeVault) }

// A release and a final entry that refers to its segments are never both certified.
func TestForgedRelease(t *testing.T) { hold(t, forgeRelease) }

func hold(t *testing.T, schedule func(vault, *rand.Rand) *world) {
	t.Helper()
	some := func(random *rand.Rand) vault {
		n := 4 + random.IntN(4)
		return sound(n, ledger.Faults(n))
	}
	n, played, found := play(*schedules, newSeed(t), some, schedule)
	t.Logf("%d schedules: %+v", played, n)
	if found != "" || n.finals == 0 {
		t.Errorf("%d entries became final; %s", n.finals, found)
	}
}

// The same schedules find what is wrong with rules that are too weak: a plain majority
// with liars, an entry that counts as final before a quorum holds its certificate, a vote
// on top of what may still be replaced, and each of the rules that tie lanes together.
func TestWeakRulesAreFound(t *testing.T) {
	s := newSeed(t)
	for name, c := range map[string]struct {
		vault
		schedule func(vault, *rand.Rand) *world
	}{
		"a plain majority of 5":      {vault{5, 1, 3, none}, forgeLane},
		"a plain majority of 7":      {vault{7, 2, 4, none}, forgeLane},
		"one phase of 4":             {vault{4, 1, 3, onePhase}, forgeLane},
		"one phase of 6":             {vault{6, 1, 4, onePhase}, forgeLane},
		"votes on top of any head":   {vault{4, 1, 3, credulous}, forgeLane},
		"votes for what closes":      {vault{4, 1, 3, heedless}, forgeRelease},
		"consents to what is locked": {vault{4, 1, 3, forgetful}, forgeRelease},
		"past the next charter":      {vault{4, 1, 3, overrun}, forgeVault},
		"frozen and going on":        {vault{4, 1, 3, unfrozen}, forgeVault},
	} {
		// The rarest is found once in some thousands: so many are enough for any seed.
		_, played, found := play(max(*schedules, 500_000), s, func(*rand.Rand) vault { return c.vault }, c.schedule)
		t.Logf("%s: after %d schedules, %s", name, played, found)
		if found == "" {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

// storm plays an honest writer through a network that loses, doubles and reorders
// messages, through crashes of everybody, and through being set back to an older disk.
func storm(w *world, net *network, c *writer, steps int) {
	older := c.disk
	for range steps {
		n := len(net.questions) + len(net.answers)
		switch r := w.random.IntN(40); {
		case n == 0 || r < 3:
			c.timeout()
		case r < 6:
			net.lose(w.random.IntN(n))
		case r == 6:
			c.restart(c.disk)
		case r == 7 && w.random.IntN(4) == 0:
			c.restart(older)
		case r == 7:
			older = c.disk
		case r == 8:
			net.dead ^= 1 << w.random.IntN(w.members)
		case r == 9 && len(w.releases) > 0:
			w.consent(w.honest[w.random.IntN(len(w.honest))], w.random.IntN(len(w.releases)))
		default:
			net.deliver(w.random.IntN(n), w.random.IntN(8) == 0)
		}
	}
}

// calm lets messages flow: what is on its way arrives in order, and the writer is told
// when nothing is left. It returns whether the writer has stored another entry.
func calm(net *network, c *writer, rounds int) bool {
	was := c.stored
	for range rounds {
		for n := 0; !net.idle() && n < 2000; n++ {
			i := 0
			net.deliver(i, false)
			if c.stored > was {
				return true
			}
		}
		c.timeout()
	}
	return false
}

// TestHonestWriter: whatever happens to an honest writer, what it was told is stored stays,
// and when a quorum of honest members hears it again, it stores its next entry.
func TestHonestWriter(t *testing.T) {
	s := newSeed(t)
	stored, finals := 0, 0
	for i := range *schedules {
		random := rand.New(rand.NewPCG(s, uint64(i)))
		n := 3 + random.IntN(5)
		w := newWorld(sound(n, random.IntN(ledger.Faults(n)+1)), random)
		if random.IntN(2) == 0 {
			w.releases = []release{{takes: 1}, {takes: 2}}
		}
		net := &network{w: w}
		c := newWriter(w, net, 1)
		storm(w, net, c, 40+random.IntN(160))
		net.dead = 0
		if silent := n - ledger.Quorum(n) - w.liars; silent > 0 { // as many as may be away
			for range silent {
				net.dead = net.dead.with(random.IntN(len(w.honest)))
			}
		}
		if !calm(net, c, 60) {
			t.Fatalf("schedule %d of %d: the writer sticks at %v, phase %d: %+v", i, n, c.goal, c.phase, *w.minds[0])
		}
		stored, finals = stored+c.stored, finals+len(w.final)
		if len(w.broken) > 0 {
			t.Fatalf("schedule %d of %d: %v", i, n, w.broken)
		}
	}
	t.Logf("%d stored, %d final", stored, finals)
}
