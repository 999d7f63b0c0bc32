package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// maxNumber keeps segment numbers far from overflow.
const maxNumber = 1 << 48

// Span is a run of Count numbers from First on.
type Span struct{ First, Count int64 }

// End returns the number after the last one.
func (s Span) End() int64 { return s.First + s.Count }

// Spans is a set of segment numbers: runs that ascend and do not touch. The zero
// value is the empty set; equal sets are equal slices. No operation changes its
// operands.
type Spans []Span

// ParseSpans reads the pairs (first number, count) of docs/format.md and accepts
// nothing but the one form that Pairs produces.
func ParseSpans(pairs []int64) (Spans, error) {
	if len(pairs)%2 != 0 || len(pairs) > 2*MaxSpans {
		return nil, fmt.Errorf("parse spans: %w: %d numbers", ErrRefs, len(pairs))
	}
	s := make(Spans, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		n := Span{pairs[i], pairs[i+1]}
		if n.First < 0 || n.Count < 1 || n.First > maxNumber || n.Count > maxNumber {
			return nil, fmt.Errorf("parse spans: %w: (%d, %d)", ErrRefs, n.First, n.Count)
		}
		// SPEC: ascending, not touching
		if i > 0 && n.First <= s[len(s)-1].End() {
			return nil, fmt.Errorf("parse spans: %w: %d does not ascend, or touches", ErrRefs, n.First)
		}
		s = append(s, n)
	}
	return s, nil
}

// Pairs returns the form of docs/format.md.
func (s Spans) Pairs() []int64 {
	p := make([]int64, 0, 2*len(s))
	for _, n := range s {
		p = append(p, n.First, n.Count)
	}
	return p
}

// NewSpans returns the set of the numbers given, in any order.
func NewSpans(numbers ...int64) Spans {
	all := make(Spans, 0, len(numbers))
	for _, n := range numbers {
		all = append(all, Span{n, 1})
	}
	return all.join()
}

// join makes a set of runs in any order.
func (s Spans) join() Spans {
	slices.SortFunc(s, func(a, b Span) int { return cmp.Compare(a.First, b.First) })
	out := s[:0]
	for _, n := range s {
		if n.Count < 1 {
			continue
		}
		if last := len(out) - 1; last >= 0 && n.First <= out[last].End() {
			out[last].Count = max(out[last].End(), n.End()) - out[last].First
			continue
		}
		out = append(out, n)
	}
	return out
}

// Union returns the numbers that are in s or in t.
func (s Spans) Union(t Spans) Spans { return slices.Concat(s, t).join() }

// Minus returns the numbers of s that are not in t.
func (s Spans) Minus(t Spans) Spans {
	var out Spans
	for _, n := range s {
		// The first run of t that ends behind the start of n.
		for i := sort.Search(len(t), func(i int) bool { return t[i].End() > n.First }); i < len(t) && t[i].First < n.End(); i++ {
			if t[i].First > n.First {
				out = append(out, Span{n.First, t[i].First - n.First})
			}
			n = Span{t[i].End(), n.End() - t[i].End()}
			if n.Count <= 0 {
				break
			}
		}
		if n.Count > 0 {
			out = append(out, n)
		}
	}
	return out
}

// Common returns the numbers that are in s and in t.
func (s Spans) Common(t Spans) Spans { return s.Minus(s.Minus(t)) }

// First returns the lowest so many numbers of s.
func (s Spans) First(count int64) Spans {
	var out Spans
	for _, n := range s {
		if count <= 0 {
			break
		}
		n.Count = min(n.Count, count)
		count -= n.Count
		out = append(out, n)
	}
	return out
}

// Contains reports whether number n is in s.
func (s Spans) Contains(n int64) bool { return s.Covers(Span{n, 1}) }

// Covers reports whether all numbers of one run are in s.
func (s Spans) Covers(n Span) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].End() > n.First })
	return n.Count < 1 || i < len(s) && s[i].First <= n.First && n.End() <= s[i].End()
}

// Holds reports whether all numbers of t are in s.
func (s Spans) Holds(t Spans) bool {
	return !slices.ContainsFunc(t, func(n Span) bool { return !s.Covers(n) })
}

// Count returns how many numbers are in s.
func (s Spans) Count() int64 {
	var n int64
	for _, x := range s {
		n += x.Count
	}
	return n
}

// End returns the number after the greatest, 0 for the empty set.
func (s Spans) End() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].End()
}
