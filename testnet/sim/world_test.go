package sim

import (
	"context"
	"slices"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/ledger/custody"
)

// quiet is a network that nothing befalls, of so many operators with a node each.
func quiet(nodes int, code erasure.Code) Config {
	c := Defaults()
	c.Nodes, c.Admitted, c.Code, c.Years, c.Seed = nodes, nodes, code, 1, 7
	c.AFR, c.OperatorLoss, c.ZoneLoss, c.VersionBug, c.Rot, c.Offline = 0, 0, 0, 0, 0, 0
	return c
}

// filled completes a configuration, as Run does.
func filled(t *testing.T, c Config) *Config {
	t.Helper()
	if err := c.fill(); err != nil {
		t.Fatal(err)
	}
	return &c
}

// lived is a vault after so many years.
func lived(t *testing.T, c *Config, seed uint64, length time.Duration, hits ...shock) *world {
	t.Helper()
	w, err := begin(c, 0, generator(seed, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.expect(hits)
	if err := w.run(t.Context(), length, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// hostile is one in which everything happens, often.
func hostile() Config {
	c := Defaults()
	c.Nodes, c.Operators, c.Admitted, c.Zones, c.Code, c.Years, c.Seed = 30, 15, 15, 4, erasure.Code{K: 3, N: 7}, 2, 5
	c.AFR, c.OperatorLoss, c.ZoneLoss, c.VersionBug, c.VersionShare, c.Rot, c.Offline = 0.6, 0.3, 0.2, 0.2, 0.3, 0.3, 0.03
	return c
}

// What the model counts as it goes is what its shards say, and what the program's own
// arithmetic says of the same losses; and no operator comes to hold more than his share.
func TestCountsAgreeWithCustody(t *testing.T) {
	c := filled(t, hostile())
	lost := 0
	for seed := range uint64(12) {
		w := lived(t, c, seed, 2*year, shock{year / 3, bug, 0}, shock{year / 2, zoneLost, 1})
		w.check(t)
		lost += w.tally.lost
	}
	if lost == 0 {
		t.Error("nothing was lost: the comparison says little")
	}
}

func (w *world) check(t *testing.T) {
	t.Helper()
	loss := w.custody.Loss()
	for h, n := range w.nodes {
		if n.lost {
			loss.Holder(h)
		}
	}
	for s, st := range w.state {
		gone, online := 0, 0
		seg, _ := w.custody.Find(w.names[s])
		for row := range w.n() {
			sh := w.shards[s*w.n()+row]
			if seg.Held[row] != sh.holder {
				t.Fatalf("shard %d of segment %d is with %d, and with %d by custody", row, s, sh.holder, seg.Held[row])
			}
			if sh.condition != sound {
				loss.Shard(w.names[s], row)
				gone++
			} else if w.nodes[sh.holder].up {
				online++
			}
		}
		if gone != st.gone || online != st.online || st.lost != (gone > w.n()-w.k()) {
			t.Fatalf("segment %d is %+v, with %d shards gone and %d online", s, st, gone, online)
		}
	}
	w.checkLists(t)
	if r := w.custody.Judge(loss); r.LostCount != w.tally.lost {
		t.Errorf("%d segments lost, %d by custody", w.tally.lost, r.LostCount)
	}
	if broken, n := w.custody.Law(0, 1); n > 0 {
		t.Errorf("%d violations of the law, as %+v", n, broken[0])
	}
}

// checkLists holds the lists of shards to the shards.
func (w *world) checkLists(t *testing.T) {
	t.Helper()
	listed := 0
	for h, n := range w.nodes {
		for id := n.shards; id != none; id = w.shards[id].next {
			if w.shards[id].holder != h {
				t.Fatalf("shard %d of holder %d is in the list of %d", id, w.shards[id].holder, h)
			}
			listed++
		}
	}
	if listed != len(w.shards) {
		t.Errorf("%d of %d shards are in lists", listed, len(w.shards))
	}
	working := 0
	for _, st := range w.state {
		if st.busy {
			working++
		}
	}
	if working != w.working {
		t.Errorf("%d segments are worked on, %d counted", working, w.working)
	}
}

// What happens to a copy does not happen to the world.
func TestCloneIsApart(t *testing.T) {
	c := filled(t, hostile())
	w := lived(t, c, 3, year)
	state, shards, all := slices.Clone(w.state), slices.Clone(w.shards), slices.Collect(w.custody.All())
	for i := range uint64(3) {
		copied := w.clone(generator(9, i))
		if err := copied.run(t.Context(), 2*year, nil); err != nil {
			t.Fatal(err)
		}
		copied.check(t)
		if copied.tally.rebuilt == w.tally.rebuilt {
			t.Error("nothing happened to the copy")
		}
	}
	w.check(t)
	if !slices.Equal(state, w.state) || !slices.Equal(shards, w.shards) {
		t.Error("the world changed with its copy")
	}
	same := func(a, b custody.Segment) bool { return a.CID == b.CID && slices.Equal(a.Held, b.Held) }
	if !slices.EqualFunc(all, slices.Collect(w.custody.All()), same) {
		t.Error("the world's holders changed with its copy's")
	}
}

// A node that is away for less than the grace costs nothing.
func TestRebootCostsNothing(t *testing.T) {
	c := quiet(12, erasure.Code{K: 4, N: 8})
	c.Offline, c.Outage = 0.002, 30*time.Minute
	w := lived(t, filled(t, c), 1, 3*year)
	if w.tally.rebuilt != 0 || w.tally.traffic != 0 {
		t.Errorf("%d shards rebuilt", w.tally.rebuilt)
	}
}

// A wiped node is rebuilt elsewhere, and every shard is where it should be again.
func TestMarginComesBack(t *testing.T) {
	c := filled(t, quiet(12, erasure.Code{K: 4, N: 8}))
	w, err := begin(c, 0, generator(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.loseDisk(0)
	had := 0
	for id := w.nodes[0].shards; id != none; id = w.shards[id].next {
		had++
	}
	if err := w.run(context.Background(), 30*24*time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	w.check(t)
	if w.tally.rebuilt != had || w.tally.needless != 0 || had == 0 {
		t.Errorf("%d shards rebuilt, %d of them needlessly, of %d", w.tally.rebuilt, w.tally.needless, had)
	}
	for s, st := range w.state {
		if st.gone != 0 || st.online != w.n() {
			t.Errorf("segment %d: %+v", s, st)
		}
	}
	if want := float64(had) * w.bundle() * float64(w.k()+1); w.tally.traffic != want {
		t.Errorf("%g bytes of traffic, want %g", w.tally.traffic, want)
	}
}

// The loss of any one zone is survived where zones are enough.
func TestZoneIsSurvived(t *testing.T) {
	c := quiet(16, erasure.Code{K: 4, N: 8})
	c.Zones = 2
	for zone := range 2 {
		w := lived(t, filled(t, c), 4, year/2, shock{time.Hour, zoneLost, zone})
		w.check(t)
		if w.tally.lost != 0 || w.tally.worst != 4 || w.tally.rebuilt != 4*c.Segments {
			t.Errorf("zone %d: %+v", zone, w.tally)
		}
	}
}
