package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/node"
	"holdfast/testnet"
)

// seenBy is a network of nodes of which each says this of the same vault.
func seenBy(said ...node.CustodyStatus) []testnet.NodeState {
	var all []testnet.NodeState
	for i, c := range said {
		name := string(rune('a' + i))
		all = append(all, testnet.NodeState{
			Name: name, Operator: "op-" + name, State: testnet.StateRunning,
			Status: &node.Status{Free: 1, Vaults: []node.VaultStatus{{Vault: "v", Member: true, Custody: &c}}, Repair: node.RepairStatus{Active: 1, Queue: 2, Rebuilt: 3}},
		})
	}
	return all
}

// The word of the member that is most worried counts, and the sentence says the worst.
func TestView(t *testing.T) {
	safe := node.CustodyStatus{Segments: 10, Target: 2, Worst: 2, Margins: []int64{0, 0, 10}}
	for _, c := range []struct {
		name        string
		nodes       []testnet.NodeState
		class, text string
	}{
		{"nothing", nil, classStill, "Looking"},
		{"no backup", seenBy(node.CustodyStatus{}), classGood, "No backup has been made yet"},
		{"safe", seenBy(safe, safe), classGood, "each segment can lose 2 shards"},
		{"one is worried", seenBy(safe, node.CustodyStatus{Segments: 10, Target: 2, Worst: 1, Below: 3, Margins: []int64{0, 3, 7}}), classWatch, "every segment can lose 1 shard more"},
		{"at the edge", seenBy(node.CustodyStatus{Segments: 10, Target: 2, Worst: 0, Below: 3, AtRisk: 3, Margins: []int64{3, 0, 7}}), classBad, "can lose no shard more"},
		{"lost", seenBy(node.CustodyStatus{Segments: 10, Target: 2, Worst: -1, Below: 3, AtRisk: 3, Lost: 3, Margins: []int64{0, 0, 7}}, safe), classBad, "fewer shards than it takes"},
		{"a node is away", append(seenBy(safe), testnet.NodeState{Name: "x", State: testnet.StateDead}), classWatch, "1 of 2 nodes serve"},
	} {
		w := newWatch(Config{})
		w.seen = seen{nodes: c.nodes}
		v := w.view(nil)
		if v.Verdict.Class != c.class || !strings.Contains(v.Verdict.Text, c.text) {
			t.Errorf("%s: %+v", c.name, v.Verdict)
		}
	}
	w := newWatch(Config{})
	w.seen = seen{nodes: seenBy(safe, safe)}
	v := w.view([]deed{{What: "heal", Target: "a"}, {What: "kill", Target: "b", Over: true}})
	if v.Repairing != 2 || v.Queue != 4 || v.Rebuilt != 6 || v.Segments != 10 || v.Worst != "2 of 2" || v.Vaults[0].Members != 2 {
		t.Errorf("%+v", v)
	}
	if v.Operators[0].Nodes[0].Doing != "heal" || v.Operators[1].Nodes[0].Doing != "" {
		t.Errorf("%+v", v.Operators)
	}
	var margins []int
	for _, r := range rows(node.CustodyStatus{Segments: 10, Target: 1, Margins: []int64{4, 5}, Lost: 1}) {
		margins = append(margins, r.Margin)
	}
	if !slices.Equal(margins, []int{1, 0, -1}) {
		t.Error(margins)
	}
}

// The chart has the newest moment at its right, and says in words what it shows.
func TestChart(t *testing.T) {
	if c := draw(nil); !c.Empty {
		t.Errorf("%+v", c)
	}
	if c := draw([]sample{{}, {}}); !c.Empty {
		t.Errorf("%+v", c)
	}
	c := draw([]sample{{4, 0, 0}, {4, 2, 1}, {4, 1, 0}})
	if c.Empty || !strings.HasPrefix(c.Whole, "M598 0.0 599 50.0 600 25.0 ") || !strings.HasSuffix(c.Whole, "Z") {
		t.Errorf("%+v", c)
	}
	if c.Words != "Of all segments, 75 % have all their shards now; at worst it was 50 %." {
		t.Error(c.Words)
	}
	full := make([]sample, samples)
	for i := range full {
		full[i] = sample{segments: 1}
	}
	if c := draw(full); !strings.HasPrefix(c.Whole, "M1 0.0 ") {
		t.Errorf("%.40s", c.Whole)
	}
}

// A network that cannot be looked at any more is said so.
func TestFault(t *testing.T) {
	w := newWatch(Config{Now: time.Now, Network: func() (*testnet.Network, error) { return nil, testnet.ErrNoNetwork }})
	if err := w.look(t.Context()); err == nil {
		t.Error("looked at nothing")
	}
	if v := w.view(nil); v.Fault == "" {
		t.Errorf("%+v", v)
	}
}
