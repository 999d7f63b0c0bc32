package ledger

import (
	"slices"

	"holdfast/internal/ident"
)

// Set is a resolved reference set.
type Set struct {
	Lane  ident.PublicKey // of the entry it belongs to
	Entry ident.CID       // undefined while a writer makes it
	Depth int             // deltas since the full set under it
	Lanes []LaneSet       // sorted by lane, each with at least one number
}

// LaneSet is the numbers of one lane's segments, as they count up to an entry.
type LaneSet struct {
	Lane    ident.PublicKey
	UpTo    ident.CID // the set's own entry, for its own lane
	Numbers Spans
}

// Numbers returns a lane's numbers, none for a lane that is not there.
func (s Set) Numbers(lane ident.PublicKey) Spans {
	i, ok := s.find(lane)
	if !ok {
		return nil
	}
	return s.Lanes[i].Numbers
}

// Contains reports whether a segment of a lane is in the set.
func (s Set) Contains(lane ident.PublicKey, number int64) bool {
	return s.Numbers(lane).Contains(number)
}

// Count returns how many segments are in the set.
func (s Set) Count() int64 {
	var n int64
	for _, l := range s.Lanes {
		n += l.Numbers.Count()
	}
	return n
}

func (s Set) find(lane ident.PublicKey) (int, bool) {
	return slices.BinarySearchFunc(s.Lanes, lane, func(l LaneSet, k ident.PublicKey) int { return l.Lane.Compare(k) })
}

func (s Set) runs() int {
	n := 0
	for _, l := range s.Lanes {
		n += len(l.Numbers)
	}
	return n
}

// With returns s and some more numbers of one lane. UpTo is the entry that they
// count up to; it is not looked at for the set's own lane.
func (s Set) With(lane ident.PublicKey, upto ident.CID, numbers Spans) Set {
	if lane == s.Lane {
		upto = s.Entry
	}
	s.Lanes = merge(s.Lanes, []LaneSet{{lane, upto, s.Numbers(lane).Union(numbers)}})
	return s
}

// Full returns the full form of s for a body.
func (s Set) Full() RefSet {
	r := RefSet{V: version, Lanes: make([]LaneRefs, 0, len(s.Lanes))}
	for _, l := range s.Lanes {
		r.Lanes = append(r.Lanes, LaneRefs{Lane: l.Lane, UpTo: s.upto(l), Spans: l.Numbers.Pairs()})
	}
	return r
}

// Since returns the form of s for a body that names base, an earlier entry's set of
// the same lane: what came and what went. Not every base will do: see Resolve.
func (s Set) Since(base Set) RefSet {
	r := RefSet{V: version, Base: base.Entry, Lanes: make([]LaneRefs, 0, len(s.Lanes))}
	for _, l := range s.Lanes {
		before := base.Numbers(l.Lane)
		came, went := l.Numbers.Minus(before), before.Minus(l.Numbers)
		i, known := base.find(l.Lane)
		if l.Lane != s.Lane && known && base.Lanes[i].UpTo == l.UpTo && len(came)+len(went) == 0 {
			continue
		}
		r.Lanes = append(r.Lanes, LaneRefs{Lane: l.Lane, UpTo: s.upto(l), Spans: came.Pairs(), Drop: went.Pairs()})
	}
	for _, l := range base.Lanes {
		if _, ok := s.find(l.Lane); !ok {
			r.Lanes = append(r.Lanes, LaneRefs{Lane: l.Lane, UpTo: s.upto(l), Spans: []int64{}, Drop: l.Numbers.Pairs()})
		}
	}
	slices.SortFunc(r.Lanes, func(a, b LaneRefs) int { return a.Lane.Compare(b.Lane) })
	return r
}

// upto leaves out the entry up to which the set's own lane counts.
func (s Set) upto(l LaneSet) ident.CID {
	if l.Lane == s.Lane {
		return ident.CID{}
	}
	return l.UpTo
}

// merge returns lanes with those in changed put in their place, and without those
// that have no number. Both are sorted; neither is changed.
func merge(lanes, changed []LaneSet) []LaneSet {
	out := make([]LaneSet, 0, len(lanes)+len(changed))
	for len(lanes)+len(changed) > 0 {
		switch {
		case len(changed) == 0 || len(lanes) > 0 && lanes[0].Lane.Compare(changed[0].Lane) < 0:
			out, lanes = append(out, lanes[0]), lanes[1:]
			continue
		case len(lanes) > 0 && lanes[0].Lane == changed[0].Lane:
			lanes = lanes[1:]
		}
		if len(changed[0].Numbers) > 0 {
			out = append(out, changed[0])
		}
		changed = changed[1:]
	}
	return out
}
