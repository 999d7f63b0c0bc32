package custody

import (
	"math"
	"slices"

	"holdfast/internal/ident"
)

// Alone says what the loss of one party alone would do to the segment that it harms most.
type Alone struct {
	Holder int // the first of the party, by number; Nowhere if there is none
	Margin int // shards that would be left of that segment, minus k
}

// Alone returns, besides a loss, the node, the operator and the zone whose loss would
// leave the smallest margin. Holders of no zone are in none.
func (m *Map) Alone(l *Loss) map[Domain]Alone {
	domains := m.domains()
	worst := make([]Alone, len(domains))
	for i := range worst {
		worst[i] = Alone{Nowhere, math.MaxInt}
	}
	m.living(l).each(func(r *row, left []uint16) {
		margin := len(left) - int(r.k)
		for i, d := range domains {
			if h, n := d.largest(left); n > 0 && margin-n < worst[i].Margin {
				worst[i] = Alone{h, margin - n}
			}
		}
	})
	out := map[Domain]Alone{}
	for i, d := range domains {
		out[d.name] = worst[i]
	}
	return out
}

// domains are those that the law names, over the holders that are known.
func (m *Map) domains() []*domain {
	nodes, n := m.groups(func(h Holder) ident.PublicKey { return h.Node })
	operators, o := m.groups(func(h Holder) ident.PublicKey { return h.Operator })
	zones, z := groupBy(m.holders, func(h Holder) string { return h.Zone })
	for i, h := range m.holders {
		if h.Zone == "" {
			zones[i] = -1
		}
	}
	return []*domain{{Node, nodes, make([]int, n)}, {Operator, operators, make([]int, o)}, {Zone, zones, make([]int, z)}}
}

// largest returns a holder of the group that has most of a segment's shards, and how many
// it has; 0 if none is in a group.
func (d *domain) largest(left []uint16) (holder, shards int) {
	holder = Nowhere
	if d.distinct(left) {
		if i := slices.IndexFunc(left, func(h uint16) bool { return d.group[h] >= 0 }); i >= 0 {
			return int(left[i]), 1
		}
		return holder, 0
	}
	for _, h := range left {
		g := d.group[h]
		if g < 0 {
			continue
		}
		if d.count[g]++; d.count[g] > shards {
			holder, shards = int(h), d.count[g]
		}
	}
	for _, h := range left {
		if g := d.group[h]; g >= 0 {
			d.count[g] = 0
		}
	}
	return holder, shards
}
