package node

import (
	"slices"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/node/audit"
	"holdfast/node/repair"
)

// What audits say of a holder, and what repair makes of it: who is only suspect is never
// gone, who is gone has no grace left, and who has said that it would be away is waited
// for.
func TestConditionOfHolders(t *testing.T) {
	node, grace := ident.PublicKey{1}, 24*time.Hour
	for _, c := range []struct {
		state         ledger.HolderState
		down, excused time.Duration
		want          repair.Condition
	}{
		{ledger.HolderOK, 0, 0, repair.Condition{}},
		{ledger.HolderDraining, 0, 0, repair.Condition{Leaving: true}},
		{ledger.HolderPaused, 0, 0, repair.Condition{Silent: 1}},
		{ledger.HolderSuspect, 3 * time.Hour, 0, repair.Condition{Silent: 3 * time.Hour}},
		{ledger.HolderSuspect, 30 * time.Hour, 0, repair.Condition{Silent: grace - 1}},
		{ledger.HolderSuspect, 2 * time.Hour, 50 * time.Hour, repair.Condition{Silent: 52 * time.Hour, Excused: 50 * time.Hour}},
		{ledger.HolderAway, 0, 50 * time.Hour, repair.Condition{Silent: 50*time.Hour + 1, Excused: 50 * time.Hour}},
		{ledger.HolderGone, 25 * time.Hour, time.Hour, repair.Condition{Silent: 26 * time.Hour, Excused: time.Hour}},
		{ledger.HolderGone, 0, 0, repair.Condition{Silent: grace}},
		{"a word of a later version", time.Hour, 0, repair.Condition{Silent: time.Hour}},
	} {
		a := audited{holders: map[ident.PublicKey]audit.Holder{node: {Node: node, State: c.state, Down: c.down, Excused: c.excused, Weight: 7}}}
		if got := a.condition(node, grace); got != c.want {
			t.Errorf("%s for %v: %+v, want %+v", c.state, c.down, got, c.want)
		}
		if a.weight(node) != 7 || a.weight(ident.PublicKey{2}) != newcomer || a.condition(ident.PublicKey{2}, grace) != (repair.Condition{}) {
			t.Error("weights, or the condition of a node that is not known")
		}
	}
}

// A shard is missing only where it is placed with the node that lacks it: one that has
// moved since is not.
func TestMissingShardsOfThoseWhoHoldThem(t *testing.T) {
	m, s := custody.New(), ident.SumDagCBOR([]byte("s"))
	var held []int
	for i := range 4 {
		held = append(held, m.Holder(custody.Holder{Node: ident.PublicKey{byte(i + 1)}, Operator: ident.PublicKey{byte(i + 1)}}))
	}
	held[3] = custody.Nowhere
	m.Add(custody.Segment{CID: s, Code: erasure.Code{K: 2, N: 4}, RowSize: 9, Held: held})
	a := audited{missing: map[ident.CID][]missingShard{
		s:                             {{0, ident.PublicKey{1}}, {1, ident.PublicKey{3}}, {3, ident.PublicKey{4}}, {99, ident.PublicKey{1}}},
		ident.SumDagCBOR([]byte("t")): {{0, ident.PublicKey{1}}},
	}}
	if got := a.lost(m, s); !slices.Equal(got, []int{0}) {
		t.Errorf("missing: %v", got)
	}
	if got := a.lost(m, ident.SumDagCBOR([]byte("t"))); got != nil {
		t.Errorf("of a segment that is not there: %v", got)
	}
}

// A segment waits while it gets no better, and from anew when it has.
func TestWaits(t *testing.T) {
	w, s, start := newWaits(), ident.SumDagCBOR([]byte("s")), time.Unix(0, 0)
	ask := func(live int, after time.Duration) time.Duration {
		w.begin()
		defer w.end()
		return w.waited(s, live, start.Add(after))
	}
	for _, c := range []struct {
		live        int
		after, want time.Duration
	}{{5, 0, 0}, {5, 7, 7}, {4, 9, 9}, {4, 12, 12}, {5, 20, 0}, {5, 23, 3}, {5, 21, 1}} {
		if got := ask(c.live, c.after); got != c.want {
			t.Errorf("%d live at %d: waited %d, want %d", c.live, c.after, got, c.want)
		}
	}
	w.begin()
	w.end() // nobody asks for it any more
	if got := ask(5, 30); got != 0 || len(w.since) != 1 {
		t.Errorf("waited %v, %d remembered", got, len(w.since))
	}
}

func TestWaitsAreBounded(t *testing.T) {
	w := newWaits()
	w.begin()
	for i := range maxWaits {
		w.waited(ident.SumDagCBOR([]byte{byte(i), byte(i >> 8)}), 1, time.Unix(0, 0))
	}
	late := ident.SumDagCBOR([]byte("late"))
	if w.waited(late, 1, time.Unix(0, 0)); len(w.since) != maxWaits || w.waited(late, 1, time.Unix(9, 0)) != 0 {
		t.Errorf("%d remembered", len(w.since))
	}
	w.end()
	w.begin()
	w.end()
	if w.waited(late, 1, time.Unix(0, 0)); len(w.since) != 1 {
		t.Errorf("%d remembered", len(w.since))
	}
}
