package schedule

import "holdfast/ledger"

// segments is a set of segments. All are there from the start, and the snapshots that a
// request names, which has passed, have them all: each is free unless another entry
// refers to it.
type segments uint8

// release is a list of segments, and who signed what about it. Each honest member takes
// part in both by its own arithmetic.
type release struct {
	charter   int
	takes     segments
	consents  set
	certified bool
	standing  map[int]set // charter in force -> who says that it is certified
	erased    bool
}

// consent asks a member for its consent.
func (w *world) consent(member, number int) {
	r, m := &w.releases[number], w.minds[member]
	if r.charter != m.charter || !m.free(w.facts, r.takes) || w.crash() {
		return
	}
	m.closing |= r.takes
	if w.crash() {
		return
	}
	r.consents = r.consents.with(member)
	if r.certified = w.enough(r.consents); r.certified {
		w.clash(*r)
	}
}

// free is a member's arithmetic: no entry that it holds, or has voted for and that may
// still be certified, refers to a segment.
func (m *mind) free(f *facts, takes segments) bool {
	var needed segments
	for _, lane := range m.lanes {
		for _, s := range lane.chain {
			needed |= f.entries[s.entry].refs
		}
		if f.weak == forgetful {
			continue
		}
		for _, l := range lane.state.Locks {
			s := lane.state
			// SPEC: until an entry above it is certified, unless it is the head itself
			if l.Height > s.Height || l.Entry != s.Entry {
				needed |= f.entries[named(l.Entry)].refs
			}
		}
	}
	free := ledger.Free(all.numbers(), needed.numbers(), nil)
	return len(takes.numbers().Minus(free)) == 0
}

// all is every segment.
const all segments = 0xff

// numbers is how the ledger's arithmetic sees a set: of one lane, by their numbers.
func (s segments) numbers() ledger.Numbers {
	var spans []int64
	for i := range 8 {
		if s&(1<<i) != 0 {
			spans = append(spans, int64(i))
		}
	}
	n := ledger.Numbers{}
	n.Add(keys[deviceLane], ledger.NewSpans(spans...))
	return n
}

// stand shows a member a release that is certified, and asks whether it stands. What was
// certified under an earlier charter counts only if it is free here.
func (w *world) stand(member, number int) {
	r, m := &w.releases[number], w.minds[member]
	if !r.certified || r.charter != m.charter && !m.free(w.facts, r.takes) || w.crash() {
		return
	}
	m.closing |= r.takes
	if w.crash() {
		return
	}
	r.standing[m.charter] = r.standing[m.charter].with(member)
	// SPEC: holders go on only if n-q+f+1 members of the newest charter confirm
	if r.standing[m.charter].size()+w.liars >= w.members-w.quorum+w.liars+1 {
		r.erased = true
		w.clash(*r)
	}
}

// clash holds a release against all that is final.
func (f *facts) clash(r release) {
	for _, s := range f.final {
		f.collide(r, s)
	}
}

// collide notes when a final entry refers to what is released: certified under the same
// charter, or erased.
func (f *facts) collide(r release, s subject) {
	if f.entries[s.entry].refs&r.takes == 0 {
		return
	}
	if r.erased {
		f.breach("segments %b are erased, and entry %d of %v refers to %b", r.takes, s.entry, s.place, f.entries[s.entry].refs)
	}
	if r.certified && r.charter == s.charter {
		f.breach("the release of segments %b and entry %d of %v, which refers to %b, are both certified", r.takes, s.entry, s.place, f.entries[s.entry].refs)
	}
}
