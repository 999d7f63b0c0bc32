package schedule

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// freeze is a member's word that it goes on under a charter no more, and the highest
// certificates that it holds.
type freeze struct {
	charter, member int
	heads           []subject
}

// keys names the lanes for the ledger's rules.
var keys = [lanes]ident.PublicKey{
	ident.NewPrivateKey([32]byte{1}).Public(), ident.NewPrivateKey([32]byte{2}).Public(), ident.NewPrivateKey([32]byte{3}).Public(),
}

// freeze asks a member to go on no more under its charter.
func (w *world) freeze(member int) {
	m := w.minds[member]
	if w.crash() {
		return
	}
	m.frozen = true
	if w.crash() {
		return
	}
	f := freeze{charter: m.charter, member: member}
	for lane := range lanes {
		if h := m.lanes[lane].head(); h.entry != 0 {
			f.heads = append(f.heads, h)
		}
	}
	w.freezes = append(w.freezes, f)
}

// charter makes the entry of a successor, with freezes that were signed. The liars'
// freezes name what suits.
func (w *world) charter(before int) {
	var chosen []ledger.Freeze
	var frozen set
	for _, i := range w.random.Perm(len(w.freezes)) {
		f := w.freezes[i]
		if f.charter == before && !frozen.has(f.member) && len(chosen) < w.quorum {
			frozen = frozen.with(f.member)
			chosen = append(chosen, claims(f.heads))
		}
	}
	for range min(w.liars, w.quorum-len(chosen)) {
		chosen = append(chosen, claims(w.fancy()))
	}
	if len(chosen) < w.quorum {
		return
	}
	w.charters++
	e := entry{charter: before, lane: ownerLane, height: 1, next: w.charters}
	if over, ok := w.began(before, ownerLane); ok {
		e.height, e.prev = over.height+1, over.entry
	}
	for _, l := range ledger.Starts(chosen) {
		id := named(l.Entry)
		s := subject{place{w.entries[id].charter, w.entries[id].lane, l.Height, l.Attempt}, id}
		if s.lane == ownerLane {
			e.height, e.prev = s.height+1, s.entry
		} else {
			e.starts = append(e.starts, s)
		}
	}
	w.add(e)
}

// fancy is what a liar says that it holds: of each lane some certificate that there is.
func (w *world) fancy() []subject {
	var heads [lanes]subject
	for _, c := range w.certs {
		if w.random.IntN(2) == 0 {
			heads[c.lane] = c
		}
	}
	return heads[:]
}

// claims is how the ledger's rule sees what a member holds.
func claims(heads []subject) (f ledger.Freeze) {
	for _, s := range heads {
		if s.entry != 0 {
			f.Lanes = append(f.Lanes, ledger.LaneStart{Lane: keys[s.lane], Height: s.height, Entry: name(s.entry), Attempt: s.attempt})
		}
	}
	return f
}

// start returns after which entry a lane goes on under the successor of a charter that is
// in force; false if there is none.
func (f *facts) start(charter, lane int) (subject, bool) {
	s, ok := f.force[charter]
	if !ok || lane == ownerLane {
		return s, ok
	}
	for _, start := range f.entries[s.entry].starts {
		if start.lane == lane {
			return start, true
		}
	}
	return subject{}, true
}

// began returns after which entry a lane goes on under a charter.
func (f *facts) began(charter, lane int) (subject, bool) {
	for before, s := range f.force {
		if f.entries[s.entry].next == charter {
			return f.start(before, lane)
		}
	}
	return subject{}, false
}

// void says whether a certificate counts no more: another charter goes on below it.
func (f *facts) void(c subject) bool {
	start, ok := f.start(c.charter, c.lane)
	return ok && (c.height > start.height || f.ancestor(start.entry, c.height) != c.entry)
}

// succeed puts a charter in force, and looks for final entries that it leaves out.
func (f *facts) succeed(s subject) {
	if _, ok := f.force[s.charter]; ok {
		return // two final entries, which conflict has found
	}
	f.force[s.charter] = s
	for _, fin := range f.final {
		f.outlive(fin)
	}
}

// outlive notes when a final entry is void under the charter that came after.
func (f *facts) outlive(fin subject) {
	if f.void(fin) {
		f.breach("final entry %d of %v is left out by the successor of charter %d", fin.entry, fin.place, fin.charter)
	}
}

// inherit shows a member the charter that succeeds its own. One that holds all that it
// starts from goes over: what it has above is void.
func (w *world) inherit(member int) {
	m := w.minds[member]
	s, ok := w.force[m.charter]
	if !ok || w.crash() || !m.holds(s) {
		return
	}
	e := w.entries[s.entry]
	var heights [lanes]int64
	for _, start := range append([]subject{s}, e.starts...) {
		if !m.holds(start) {
			return
		}
		heights[start.lane] = start.height
	}
	m.charter, m.frozen = e.next, false
	for lane := range lanes {
		m.lanes[lane].restart(heights[lane])
	}
}
