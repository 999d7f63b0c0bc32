package custody

import "holdfast/internal/ident"

// Held is how much a holder has.
type Held struct{ Shards, Bytes int64 }

// Held returns how much each holder has, by number.
func (m *Map) Held() []Held {
	held := make([]Held, len(m.holders))
	for _, b := range m.tree {
		for i := range b.leaf.rows {
			r := &b.leaf.rows[i]
			for _, h := range b.leaf.of(r) {
				if h != nowhere {
					held[h].Shards++
					held[h].Bytes += int64(r.size)
				}
			}
		}
	}
	return held
}

// Effective is by how many equal ones the shards would be spread as evenly as they are:
// the inverse Herfindahl index. It is 0 where nothing is held.
type Effective struct {
	Operators, Zones         float64 // by the number of shards
	OperatorBytes, ZoneBytes float64 // by their bytes
	Largest                  float64 // share of all shards that one operator has at most, 0 to 1
}

// Effective says how evenly the shards are spread. Holders of no zone are one zone.
func (m *Map) Effective() Effective {
	held := m.Held()
	operators, n := m.groups(func(h Holder) ident.PublicKey { return h.Operator })
	zones, z := groupBy(m.holders, func(h Holder) string { return h.Zone })
	byOperator, byZone := sum(held, operators, n), sum(held, zones, z)
	shards := func(h Held) int64 { return h.Shards }
	size := func(h Held) int64 { return h.Bytes }
	var e Effective
	e.Operators, e.Largest = spread(byOperator, shards)
	e.OperatorBytes, _ = spread(byOperator, size)
	e.Zones, _ = spread(byZone, shards)
	e.ZoneBytes, _ = spread(byZone, size)
	return e
}

func sum(held []Held, groups []int, n int) []Held {
	out := make([]Held, n)
	for i, h := range held {
		out[groups[i]].Shards += h.Shards
		out[groups[i]].Bytes += h.Bytes
	}
	return out
}

// spread returns one over the sum of the squares of the shares, and the largest share.
func spread(held []Held, of func(Held) int64) (effective, largest float64) {
	total := 0.0
	for _, h := range held {
		total += float64(of(h))
	}
	if total == 0 {
		return 0, 0
	}
	squares := 0.0
	for _, h := range held {
		share := float64(of(h)) / total
		squares += share * share
		largest = max(largest, share)
	}
	return 1 / squares, largest
}
