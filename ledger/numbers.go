package ledger

import "holdfast/internal/ident"

// Numbers is a set of segments by their numbers, for each lane. It is what the
// arithmetic of releases works on: a vault with a million segments is a few spans.
// The zero value is empty and can be read.
type Numbers map[ident.PublicKey]Spans

// Add takes numbers of a lane in.
func (n Numbers) Add(lane ident.PublicKey, spans Spans) {
	if have := n[lane]; len(spans) > 0 && !have.Holds(spans) {
		n[lane] = have.Union(spans)
	}
}

// AddAll takes in all of m.
func (n Numbers) AddAll(m Numbers) {
	for lane, spans := range m {
		n.Add(lane, spans)
	}
}

// AddSet takes in what a snapshot needs.
func (n Numbers) AddSet(s Set) {
	for _, l := range s.Lanes {
		n.Add(l.Lane, l.Numbers)
	}
}

// Common returns what is in both.
func (n Numbers) Common(m Numbers) Numbers {
	out := Numbers{}
	for lane, spans := range m {
		out.Add(lane, n[lane].Common(spans))
	}
	return out
}

// In returns what of n a snapshot needs.
func (n Numbers) In(s Set) Numbers {
	out := Numbers{}
	for _, l := range s.Lanes {
		if have := n[l.Lane]; len(have) > 0 {
			out.Add(l.Lane, have.Common(l.Numbers))
		}
	}
	return out
}

// Minus returns what is in n and not in m.
func (n Numbers) Minus(m Numbers) Numbers {
	out := Numbers{}
	for lane, spans := range n {
		out.Add(lane, spans.Minus(m[lane]))
	}
	return out
}

// Count returns how many segments are in the set.
func (n Numbers) Count() int64 {
	var total int64
	for _, spans := range n {
		total += spans.Count()
	}
	return total
}
