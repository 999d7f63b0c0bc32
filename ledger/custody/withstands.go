package custody

import (
	"slices"

	"holdfast/internal/ident"
)

// Withstands returns how many operators may be gone besides a loss, whichever they are,
// so that every segment has k shards left; -1 if one has not now. It is the rule of
// ledger.Withstands, of all segments at once. Without segments it is the number of
// operators.
func (m *Map) Withstands(l *Loss) int {
	operators, n := m.groups(func(h Holder) ident.PublicKey { return h.Operator })
	return m.withstandsAny(l, domain{Operator, operators, make([]int, n)})
}

// WithstandsNodes is Withstands for nodes.
func (m *Map) WithstandsNodes(l *Loss) int {
	nodes, n := m.groups(func(h Holder) ident.PublicKey { return h.Node })
	return m.withstandsAny(l, domain{Node, nodes, make([]int, n)})
}

func (m *Map) withstandsAny(l *Loss, d domain) int {
	least := len(d.count)
	var seen []int
	m.living(l).each(func(r *row, left []uint16) {
		if d.distinct(left) { // one shard goes with each
			least = min(least, max(len(left)-int(r.k), -1))
			return
		}
		seen = seen[:0]
		for _, h := range left {
			o := d.group[h]
			if d.count[o] == 0 {
				seen = append(seen, o)
			}
			d.count[o]++
		}
		least = min(least, withstands(d.count, seen, len(left), int(r.k), least))
		for _, o := range seen {
			d.count[o] = 0
		}
	})
	return least
}

// withstands is Withstands for one segment with so many shards left, of which count has
// those of each operator that was seen. What is not below least is not found out.
func withstands(count, seen []int, left, k, least int) int {
	if left < k {
		return -1
	}
	slices.SortFunc(seen, func(a, b int) int { return count[b] - count[a] })
	for away, o := range seen {
		if away >= least {
			return least
		}
		if left -= count[o]; left < k {
			return away
		}
	}
	return len(seen)
}

// groups numbers what holders have in common, from 0 on, and returns the group of each
// holder and the number of groups.
func (m *Map) groups(of func(Holder) ident.PublicKey) ([]int, int) {
	return groupBy(m.holders, of)
}

func groupBy[K comparable](holders []Holder, of func(Holder) K) ([]int, int) {
	numbers := make(map[K]int)
	groups := make([]int, len(holders))
	for i, h := range holders {
		k := of(h)
		g, ok := numbers[k]
		if !ok {
			g = len(numbers)
			numbers[k] = g
		}
		groups[i] = g
	}
	return groups, len(numbers)
}
