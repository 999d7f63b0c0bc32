package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"holdfast/testnet"
)

// view is what the page is made of.
type view struct {
	Name, Dir, Bootstrap string
	Fault                string
	At                   time.Time
	Verdict              sentence
	Nodes, Up            int
	Shards, Used         int64
	Segments, Below      int64
	Repairing, Queue     int64
	Rebuilt              int64
	Worst                string
	Vaults               []vaultView
	Operators            []operator
	Chart                chart
	Deeds                []deed
	Harms                []testnet.Harm
}

// operator is a card with nodes.
type operator struct {
	Name, Zone string
	Nodes      []tile
}

// tile is a node.
type tile struct {
	testnet.NodeState
	Class  string
	Note   string
	Doing  string // what is being done to it
	Broken bool
}

// sentence is what stands on top.
type sentence struct{ Class, Text string }

const (
	classGood  = "good"
	classWatch = "watch"
	classBad   = "bad"
	classStill = "still"
)

// view returns what was seen last.
func (w *watch) view(deeds []deed) view {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := view{
		Name: w.seen.name, Dir: w.seen.dir, Bootstrap: w.seen.bootstrap, At: w.seen.at, Nodes: len(w.seen.nodes), Worst: "–",
		Vaults: vaultsOf(w.seen.nodes), Operators: operatorsOf(w.seen.nodes, deeds), Chart: draw(w.past), Deeds: deeds, Harms: testnet.Harms(),
	}
	if w.fault != nil {
		v.Fault = w.fault.Error()
	}
	for _, n := range w.seen.nodes {
		if n.State == testnet.StateRunning {
			v.Up++
		}
		if n.Status != nil {
			v.Shards += n.Status.Shards
			v.Used += n.Status.Used
			v.Repairing += n.Status.Repair.Active
			v.Queue += n.Status.Repair.Queue
			v.Rebuilt += n.Status.Repair.Rebuilt
		}
	}
	v.add()
	return v
}

// add sums up the vaults.
func (v *view) add() {
	worst, target := 0, 0
	for i, one := range v.Vaults {
		v.Segments += one.Segments
		v.Below += one.Below
		if i == 0 || one.Worst < worst {
			worst, target = one.Worst, one.Target
		}
	}
	if v.Segments > 0 {
		v.Worst = fmt.Sprintf("%d of %d", max(worst, 0), target)
	}
	v.Verdict = v.judge(worst)
}

// judge says the worst first.
func (v *view) judge(worst int) sentence {
	down := v.Nodes - v.Up
	nodes := fmt.Sprintf("%d of %d nodes serve", v.Up, v.Nodes)
	switch {
	case v.Nodes == 0:
		return sentence{classStill, "Looking at the network."}
	case v.Segments == 0 && down == 0:
		return sentence{classGood, fmt.Sprintf("All %d nodes serve. No backup has been made yet.", v.Nodes)}
	case v.Segments == 0:
		return sentence{classWatch, nodes + "."}
	case worst < 0:
		return sentence{classBad, "Some segments have fewer shards than it takes to rebuild them: heal nodes that still hold some. " + nodes + "."}
	case worst == 0:
		return sentence{classBad, "Everything can be read, and some segments can lose no shard more. " + nodes + "."}
	case v.Below > 0:
		return sentence{classWatch, fmt.Sprintf("Everything can be read: every segment can lose %s more. %s.", shards(worst), nodes)}
	case down > 0:
		return sentence{classWatch, fmt.Sprintf("Every segment has all its shards. %s.", nodes)}
	}
	return sentence{classGood, fmt.Sprintf("Every byte is safe: each segment can lose %s. %s.", shards(worst), nodes)}
}

func shards(n int) string {
	if n == 1 {
		return "1 shard"
	}
	return fmt.Sprintf("%d shards", n)
}

func operatorsOf(nodes []testnet.NodeState, deeds []deed) []operator {
	var all []operator
	for _, n := range nodes {
		i := slices.IndexFunc(all, func(o operator) bool { return o.Name == n.Operator })
		if i < 0 {
			i = len(all)
			all = append(all, operator{Name: n.Operator, Zone: n.Zone})
		}
		all[i].Nodes = append(all[i].Nodes, tileOf(n, deeds))
	}
	slices.SortStableFunc(all, func(a, b operator) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func tileOf(n testnet.NodeState, deeds []deed) tile {
	t := tile{NodeState: n, Broken: n.State != testnet.StateRunning}
	switch n.State {
	case testnet.StateRunning:
		t.Class = classGood
	case testnet.StateStopped, testnet.StateSilent:
		t.Class = classWatch
	default:
		t.Class = classBad
	}
	if n.Status != nil {
		t.Note = n.Status.Reason
		if n.Status.Free == 0 && n.State == testnet.StateRunning {
			t.Class, t.Note, t.Broken = classWatch, "full", true
		}
	}
	for _, d := range deeds {
		if !d.Over && (d.Target == n.Name || d.Target == "operator="+n.Operator) {
			t.Doing = d.What
		}
	}
	return t
}
