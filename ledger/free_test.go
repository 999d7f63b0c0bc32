package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// What is free by spans is what is free by looking at every segment: introduced, in no
// set that stays, and not gone.
func TestFreeLaw(t *testing.T) {
	lanes := []ident.PublicKey{ledgertest.Key("a").Public(), ledgertest.Key("b").Public(), ledgertest.Key("c").Public()}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (ledger.Numbers, map[string]bool) {
			n, each := ledger.Numbers{}, map[string]bool{}
			for range rapid.IntRange(0, 4).Draw(t, name+" sets") {
				set := ledger.Set{Lane: lanes[0]}
				for _, lane := range lanes {
					numbers := rapid.SliceOfN(rapid.Int64Range(0, 40), 0, 20).Draw(t, name)
					set = set.With(lane, ident.SumDagCBOR(nil), ledger.NewSpans(numbers...))
					for _, i := range numbers {
						each[fmt.Sprint(lane, i)] = true
					}
				}
				n.AddSet(set)
			}
			return n, each
		}
		needed, inNeeded := draw("needed")
		gone, inGone := draw("gone")
		introduced := ledger.Numbers{}
		for _, lane := range lanes {
			introduced.Add(lane, ledger.Spans{{First: 0, Count: rapid.Int64Range(1, 50).Draw(t, "count")}})
		}
		free := ledger.Free(introduced, needed, gone)
		total := int64(0)
		for _, lane := range lanes {
			for i := range int64(60) {
				id := fmt.Sprint(lane, i)
				want := introduced[lane].Contains(i) && !inNeeded[id] && !inGone[id]
				if got := free[lane].Contains(i); got != want {
					t.Fatalf("lane %s number %d: free %v", lane.Short(), i, got)
				}
				if want {
					total++
				}
			}
		}
		if free.Count() != total {
			t.Fatalf("%d free, counted %d", total, free.Count())
		}
		if both := free.Common(needed); len(both) > 0 {
			t.Fatalf("free and needed: %v", both)
		}
	})
}

// The first so many numbers, and the common ones.
func TestSpansFirstAndCommon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ledger.NewSpans(rapid.SliceOf(rapid.Int64Range(0, 60)).Draw(t, "a")...)
		b := ledger.NewSpans(rapid.SliceOf(rapid.Int64Range(0, 60)).Draw(t, "b")...)
		n := rapid.Int64Range(-1, 70).Draw(t, "n")
		first := a.First(n)
		if want := min(max(n, 0), a.Count()); first.Count() != want || !a.Holds(first) || first.End() > 0 && first.Count() != want {
			t.Fatalf("first %d of %v: %v", n, a, first)
		}
		if rest := a.Minus(first); len(rest) > 0 && rest[0].First < first.End() {
			t.Fatalf("first %d of %v are not the lowest: %v", n, a, first)
		}
		for i := range int64(61) {
			if got, want := a.Common(b).Contains(i), a.Contains(i) && b.Contains(i); got != want {
				t.Fatalf("%d common to %v and %v: %v", i, a, b, got)
			}
		}
	})
}

// An entry that refers to what is closing gets no vote, and is told which.
func TestClosingEntries(t *testing.T) {
	a := newAttempt(t)
	a.view.closing = []ident.CID{ident.SumDagCBOR([]byte("segment"))}
	err := a.check()
	var named *ledger.SegmentsError
	if !errors.As(err, &named) || named.Err != ledger.ErrClosing || len(named.Segments) != 1 {
		t.Fatalf("%v", err)
	}
	a.view.closing = nil
	if err := a.check(); err != nil {
		t.Fatal(err)
	}
}
