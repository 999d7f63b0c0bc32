package custody

import "holdfast/internal/ident"

// Domain is what fails as one.
type Domain string

// The domains that the law names.
const (
	Node     Domain = "node"
	Operator Domain = "operator"
	Zone     Domain = "zone"
)

// Violation is a domain that holds so many shards of a segment that it can lose it.
type Violation struct {
	Segment ident.CID
	Domain  Domain
	Holder  int // the first of the domain that holds any of them, by number
	Shards  int // that the domain holds
	Most    int // that it may hold: n-k
}

// Law returns what breaks the law: the first limit violations in the order of the
// segments, and the number of all. Zones is how many there are to place shards in, by
// whoever knows the nodes: where they are too few for a segment's code, the law does not
// ask for them. A holder of no zone is in none.
//
// SPEC: no single server, operator or zone (where there are enough) may hold more than
// n-k shards of a segment
func (m *Map) Law(zones, limit int) (first []Violation, count int) {
	domains := m.domains()
	m.living(nil).each(func(r *row, left []uint16) {
		most := int(r.n - r.k)
		for _, d := range domains {
			if d.name == Zone && zones < enoughZones(int(r.n), most) {
				continue
			}
			for _, v := range d.broken(left, most) {
				if count++; len(first) < limit {
					v.Segment = r.cid()
					first = append(first, v)
				}
			}
		}
	})
	return first, count
}

// enoughZones is how many zones it takes so that none has to hold more than most of n
// shards.
func enoughZones(n, most int) int { return (n + most - 1) / most }

// domain counts the shards of one segment by what fails as one.
type domain struct {
	name  Domain
	group []int // by holder; -1 for none
	count []int // by group; all zero between two segments
}

// distinct reports that no two of some holders are of one group. It is quick, and may miss
// it: then the holders are counted.
func (d *domain) distinct(left []uint16) bool {
	var seen uint64
	for _, h := range left {
		if g := d.group[h]; g >= 0 {
			bit := uint64(1) << (g % 64)
			if seen&bit != 0 {
				return false
			}
			seen |= bit
		}
	}
	return true
}

// broken returns which groups have more than most of a segment's shards.
func (d *domain) broken(left []uint16, most int) (out []Violation) {
	if d.distinct(left) { // and most is 1 at least
		return nil
	}
	for _, h := range left {
		if g := d.group[h]; g >= 0 {
			d.count[g]++
		}
	}
	for _, h := range left {
		g := d.group[h]
		if g < 0 {
			continue
		}
		if d.count[g] > most {
			out = append(out, Violation{Domain: d.name, Holder: int(h), Shards: d.count[g], Most: most})
		}
		d.count[g] = 0
	}
	return out
}
