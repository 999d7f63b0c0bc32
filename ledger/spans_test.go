package ledger_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/ledger"
)

// numbers draws a set of small numbers as a map, the model.
func numbers(t *rapid.T, name string) map[int64]bool {
	return rapid.MapOf(rapid.Int64Range(0, 40), rapid.Just(true)).Draw(t, name)
}

func spansOf(m map[int64]bool) ledger.Spans {
	var all []int64
	for n := range m {
		all = append(all, n)
	}
	return ledger.NewSpans(all...)
}

// same checks s against the model, number by number, and that s has the one form.
func same(t *rapid.T, what string, s ledger.Spans, m map[int64]bool) {
	count, end := 0, int64(0)
	for n := int64(0); n < 100; n++ {
		if s.Contains(n) != m[n] {
			t.Fatalf("%s: %v contains %d: %v", what, s, n, !m[n])
		}
		if m[n] {
			count, end = count+1, n+1
		}
	}
	if s.Count() != int64(count) || s.End() != end {
		t.Fatalf("%s: %v: count %d, end %d", what, s, s.Count(), s.End())
	}
	again, err := ledger.ParseSpans(s.Pairs())
	if err != nil || !slices.Equal(again, s) {
		t.Fatalf("%s: %v is read back as %v, %v", what, s, again, err)
	}
}

// Law: spans are sets.
func TestSpansAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ma, mb := numbers(t, "a"), numbers(t, "b")
		a, b := spansOf(ma), spansOf(mb)
		before := slices.Clone(a)
		union, minus, holds := map[int64]bool{}, map[int64]bool{}, true
		for n := int64(0); n < 100; n++ {
			if ma[n] || mb[n] {
				union[n] = true
			}
			if ma[n] && !mb[n] {
				minus[n] = true
			}
			holds = holds && (ma[n] || !mb[n])
		}
		same(t, "a", a, ma)
		same(t, "union", a.Union(b), union)
		same(t, "minus", a.Minus(b), minus)
		if a.Holds(b) != holds {
			t.Fatalf("%v holds %v: %v", a, b, !holds)
		}
		from, n := rapid.Int64Range(0, 40).Draw(t, "from"), rapid.Int64Range(0, 10).Draw(t, "n")
		covers := true
		for i := from; i < from+n; i++ {
			covers = covers && ma[i]
		}
		if a.Covers(ledger.Span{First: from, Count: n}) != covers {
			t.Fatalf("%v covers (%d, %d): %v", a, from, n, !covers)
		}
		if !slices.Equal(a, before) {
			t.Fatal("an operation changed its operand")
		}
	})
}

func TestParseSpans(t *testing.T) {
	for _, c := range []struct {
		pairs []int64
		ok    bool
	}{
		{nil, true}, {[]int64{0, 1}, true}, {[]int64{0, 1, 2, 5}, true}, {[]int64{1 << 48, 1 << 48}, true},
		{[]int64{0}, false}, {[]int64{0, 0}, false}, {[]int64{-1, 2}, false}, {[]int64{0, -1}, false},
		{[]int64{0, 1, 1, 1}, false}, // touching
		{[]int64{0, 2, 1, 1}, false}, // overlapping
		{[]int64{5, 1, 0, 1}, false}, // descending
		{[]int64{1, 1<<63 - 1}, false}, {[]int64{1<<63 - 1, 1}, false},
		{make([]int64, 2*ledger.MaxSpans+2), false},
	} {
		if _, err := ledger.ParseSpans(c.pairs); (err == nil) != c.ok || err != nil && !errors.Is(err, ledger.ErrRefs) {
			t.Errorf("%.6v: %v", c.pairs, err)
		}
	}
}
