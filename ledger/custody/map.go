package custody

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"sync/atomic"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Map says who holds what, in 2n+40 bytes for a segment and a little more. Any number
// may read it at once; who changes it is alone. The zero value is not ready: see New.
type Map struct {
	owner   atomic.Pointer[owner]
	tree    []branch // sorted, no leaf is empty
	count   int
	holders []Holder
	numbers map[holderName]int
}

// branch is a leaf with the first of its segments.
type branch struct {
	first [ident.HashSize]byte
	leaf  *leaf
}

// New makes an empty Map.
func New() *Map {
	m := &Map{numbers: make(map[holderName]int)}
	m.owner.Store(new(owner))
	return m
}

// Len returns the number of segments.
func (m *Map) Len() int { return m.count }

// Clone returns a Map of its own with the same content and the same numbers, at the cost
// of a thousandth of it: what neither changes they share. It may run while others read,
// or clone.
func (m *Map) Clone() *Map {
	// From now on neither owns a leaf that is there: whoever changes one copies it first.
	m.owner.Store(new(owner))
	c := &Map{tree: slices.Clone(m.tree), count: m.count, holders: slices.Clone(m.holders), numbers: maps.Clone(m.numbers)}
	c.owner.Store(new(owner))
	return c
}

// Add takes a segment in, with its holders; one that is there already becomes what s
// says. It is fastest where segments come in their order; those that come in none, and all
// at once, are for Fill. A segment that no descriptor can describe panics: the caller has
// parsed it.
func (m *Map) Add(s Segment) {
	s.validate()
	var room [erasure.MaxShards]uint16
	held := room[:len(s.Held)]
	m.numberAll(held, s.Held)
	r := s.row()
	b, i, known := m.place(&r.hash)
	if known {
		m.removeAt(b, i)
		b, i, _ = m.place(&r.hash)
	}
	if len(m.tree[b].leaf.rows) == maxRows {
		m.split(b, i)
		b, i, _ = m.place(&r.hash)
	}
	m.own(b).insert(i, r, held)
	m.tree[b].first = m.tree[b].leaf.rows[0].hash
	m.count++
}

// place returns in which leaf a segment is, or would be, and where there. The Map has one
// leaf at least from then on.
func (m *Map) place(hash *[ident.HashSize]byte) (b, i int, known bool) {
	if len(m.tree) == 0 {
		m.tree = []branch{{first: *hash, leaf: &leaf{owner: m.owner.Load()}}}
	}
	b = len(m.tree) - 1
	if rows := m.tree[b].leaf.rows; len(rows) == 0 || bytes.Compare(rows[len(rows)-1].hash[:], hash[:]) < 0 {
		return b, len(rows), false // behind all others
	}
	b = m.branch(hash)
	i, known = m.tree[b].leaf.find(hash)
	return b, i, known
}

// Move writes down who holds a shard from now on, which may be Nowhere. It reports
// whether there is such a shard. Which of several receipts for it counts is the caller's
// to decide: see ledger.Placing.
func (m *Map) Move(segment ident.CID, index, holder int) bool {
	b, i, ok := m.find(segment)
	if !ok || index < 0 || index >= int(m.tree[b].leaf.rows[i].n) {
		return false
	}
	n := m.number(holder)
	if r := &m.tree[b].leaf.rows[i]; m.tree[b].leaf.of(r)[index] == n {
		return true
	}
	l := m.own(b)
	l.of(&l.rows[i])[index] = n
	return true
}

// Remove takes a segment out; one that is not there is no error.
func (m *Map) Remove(segment ident.CID) {
	if b, i, ok := m.find(segment); ok {
		m.removeAt(b, i)
	}
}

// Find returns a segment; false if it is not there.
func (m *Map) Find(segment ident.CID) (Segment, bool) {
	b, i, ok := m.find(segment)
	if !ok {
		return Segment{}, false
	}
	l := m.tree[b].leaf
	r := &l.rows[i]
	return l.segment(r, make([]int, r.n)), true
}

// All returns the segments, sorted by their names. What it yields is the caller's. The
// Map must not change meanwhile.
func (m *Map) All() iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		for _, b := range m.tree {
			room := make([]int, len(b.leaf.held))
			for i := range b.leaf.rows {
				r := &b.leaf.rows[i]
				s := b.leaf.segment(r, room[:r.n:r.n])
				room = room[r.n:]
				if !yield(s) {
					return
				}
			}
		}
	}
}

// segment writes a row out, its holders into held.
func (l *leaf) segment(r *row, held []int) Segment {
	for i, h := range l.of(r) {
		held[i] = int(h)
		if h == nowhere {
			held[i] = Nowhere
		}
	}
	return Segment{CID: r.cid(), Code: erasure.Code{K: int(r.k), N: int(r.n)}, RowSize: int64(r.size), Held: held}
}

// number is a holder as it is stored. A number that the Map has not given out panics.
func (m *Map) number(holder int) uint16 {
	if holder == Nowhere {
		return nowhere
	}
	if holder < 0 || holder >= len(m.holders) {
		panic(fmt.Sprintf("holder %d of %d", holder, len(m.holders)))
	}
	return uint16(holder)
}

// numberAll writes holders as they are stored into out, which is as long.
func (m *Map) numberAll(out []uint16, held []int) {
	known := uint(len(m.holders))
	for i, h := range held {
		if uint(h) < known {
			out[i] = uint16(h)
			continue
		}
		out[i] = m.number(h) // Nowhere, or nobody
	}
}

// branch returns in which leaf a segment is, or would be. There is one at least.
func (m *Map) branch(hash *[ident.HashSize]byte) int {
	b := sort.Search(len(m.tree), func(i int) bool { return bytes.Compare(m.tree[i].first[:], hash[:]) > 0 })
	return max(b-1, 0)
}

func (m *Map) find(segment ident.CID) (b, i int, ok bool) {
	if len(m.tree) == 0 || segment.Codec() != ident.DagCBOR {
		return 0, 0, false
	}
	hash := segment.Hash()
	b = m.branch(&hash)
	i, ok = m.tree[b].leaf.find(&hash)
	return b, i, ok
}

// own returns a leaf that this Map may change.
func (m *Map) own(b int) *leaf {
	l, o := m.tree[b].leaf, m.owner.Load()
	if l.owner != o {
		l = l.part(0, len(l.rows), o)
		m.tree[b].leaf = l
	}
	return l
}

func (m *Map) removeAt(b, i int) {
	m.count--
	l := m.own(b)
	if l.remove(i); len(l.rows) == 0 {
		m.tree = slices.Delete(m.tree, b, b+1)
		return
	}
	m.tree[b].first = l.rows[0].hash
}

// split makes two leaves of a full one, into which a row is to go before row i. One that
// goes to the end of all begins a new leaf: so a Map that is filled in order is full.
func (m *Map) split(b, i int) {
	l, o := m.tree[b].leaf, m.owner.Load()
	at := len(l.rows) / 2
	if b == len(m.tree)-1 && i == len(l.rows) {
		at = len(l.rows) - 1
	}
	left, right := l.part(0, at, o), l.part(at, len(l.rows), o)
	m.tree[b].leaf = left
	m.tree = slices.Insert(m.tree, b+1, branch{right.rows[0].hash, right})
}
