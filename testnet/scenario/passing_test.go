package scenario

import (
	"testing"
	"time"

	"holdfast/testnet"
)

// These scenarios are of what passes by itself, and what the network does meanwhile:
// nodes that are held, a network that is split, clocks that are wrong.

// pass lets time go by: longer than the grace of soakPace, or a minute with -long.
func pass(t *testing.T) {
	d := 5 * time.Second
	if *long {
		d = time.Minute
	}
	select { // how long it takes is the fault
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// Nodes are held for longer than the grace: everything reads, and the others take their
// shards. When they go on, nothing is missing.
func TestHeldNodesComeBack(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "3/6")
	breakNode(t, w.Net, testnet.Stop, "node-3")
	breakNode(t, w.Net, testnet.Stop, "node-6")
	must(t, w.Restore(t.Context(), len(w.kept)-1, nil))
	took, err := w.Whole(t.Context())
	t.Logf("all shards are with others after %v", took.Round(100*time.Millisecond))
	must(t, err)
	pass(t)
	heal(t, w.Net, "node-3")
	heal(t, w.Net, "node-6")
	must(t, w.Tree.Change())
	w.complete(t)
	w.wantWhole(t)
}

// The network is split in two halves, for longer than the grace: both read, neither
// certifies anything. When it is whole again, nothing is missing.
func TestSplitNetwork(t *testing.T) {
	t.Parallel()
	apart := testnet.Config{Nodes: 8, Apart: []string{"node-5", "node-6", "node-7", "node-8"}}
	w := keeper(t, apart, "4/8")
	must(t, w.Net.Split())
	must(t, w.Restore(t.Context(), len(w.kept)-1, nil))
	must(t, w.Tree.Change())
	r, err := w.Backup(t.Context(), nil)
	must(t, err)
	if r.Was(0, 4) {
		t.Errorf("a backup by half of the members: %v", r)
	}
	pass(t)
	must(t, w.Net.Join())
	must(t, w.Net.AwaitReady(t.Context()))
	w.complete(t)
	w.wantWhole(t)
}

// A node's clock is an hour off while the network has to repair what another has lost:
// the others do it, and give that one nothing.
func TestClockAnHourOffDuringRepair(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			if name == "behind" && !*long {
				t.Skip("with -long")
			}
			clock := &clocks{node: "node-2", off: by}
			w := newWorld(t, Config{
				Network: testnet.Config{Nodes: 8, Node: soakPace, Clock: clock.of}, Code: "3/6",
				Before: clock.begin,
			})
			for range 3 {
				must(t, w.Tree.Change())
				w.complete(t)
			}
			breakNode(t, w.Net, testnet.Wipe, "node-5")
			w.wantWhole(t)
		})
	}
}
