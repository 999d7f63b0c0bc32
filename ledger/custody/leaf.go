package custody

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"

	"holdfast/internal/ident"
)

// leaf is a run of segments, sorted. It belongs to one Map, which may change it, or to
// several, none of which may.
type leaf struct {
	owner *owner
	rows  []row
	held  []uint16 // holders of all rows, in any order of the rows
}

// owner tells Maps apart: that of a leaf, and of a table of holders.
type owner struct{ _ byte }

// find returns where a segment is, or would be. Names are hashes, evenly spread: it looks
// first where the segment would be if they were exactly so, and from there on in growing
// steps, so that it mostly touches rows that are next to each other.
func (l *leaf) find(hash *[ident.HashSize]byte) (int, bool) {
	less := func(i int) bool { return bytes.Compare(l.rows[i].hash[:], hash[:]) < 0 }
	from, to := 0, len(l.rows) // what is before from is less, what is from to on is not
	at := l.guess(hash)
	up := at < to && less(at)
	for step := 1; at >= from && at < to; step *= 2 {
		switch {
		case less(at) != up:
			if up {
				to = at
			} else {
				from = at + 1
			}
			at = -1 // it is between the two
		case up:
			from, at = at+1, at+step
		default:
			to, at = at, at-step
		}
	}
	from += sort.Search(to-from, func(i int) bool { return !less(from + i) })
	return from, from < len(l.rows) && l.rows[from].hash == *hash
}

// guess returns where a segment would be among evenly spread names.
func (l *leaf) guess(hash *[ident.HashSize]byte) int {
	if len(l.rows) == 0 {
		return 0
	}
	first, last, h := ahead(&l.rows[0].hash), ahead(&l.rows[len(l.rows)-1].hash), ahead(hash)
	if h <= first || last <= first {
		return 0
	}
	return min(int(float64(h-first)/float64(last-first)*float64(len(l.rows))), len(l.rows)-1)
}

// ahead is the beginning of a name, as a number.
func ahead(hash *[ident.HashSize]byte) uint64 { return binary.BigEndian.Uint64(hash[:]) }

// of returns the holders of a row.
func (l *leaf) of(r *row) []uint16 { return l.held[r.at : int(r.at)+int(r.n)] }

// insert puts a segment in, before row i.
func (l *leaf) insert(i int, r row, held []uint16) {
	r.at = uint16(len(l.held))
	l.held = append(l.held, held...)
	l.rows = slices.Insert(l.rows, i, r)
}

// remove takes row i out.
func (l *leaf) remove(i int) {
	l.rows = slices.Delete(l.rows, i, i+1)
	*l = *l.part(0, len(l.rows), l.owner)
}

// part returns a leaf of some of the rows, whose holders stand without gaps.
func (l *leaf) part(from, to int, o *owner) *leaf {
	p := &leaf{owner: o, rows: slices.Clone(l.rows[from:to])}
	total := 0
	for i := range p.rows {
		total += int(p.rows[i].n)
	}
	p.held = make([]uint16, 0, total)
	for i := range p.rows {
		r := &p.rows[i]
		held := l.of(r)
		r.at = uint16(len(p.held))
		p.held = append(p.held, held...)
	}
	return p
}
