package audit

import (
	"math/rand/v2"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/store"
)

// pick is one group of one shard, drawn for a holder.
type pick struct {
	custody.Shard
	group int64
}

// stock is what the ledger places with one node.
type stock struct {
	shards, bytes, groups int64
	places                []int64 // drawn: numbers of groups, ascending
	picks                 []pick
}

// stocks counts what each node should have: one pass over the map.
func stocks(m *custody.Map) map[ident.PublicKey]*stock {
	holders := m.Holders()
	all := make([]*stock, len(holders))
	nodes := map[ident.PublicKey]*stock{}
	for i, h := range holders {
		if nodes[h.Node] == nil {
			nodes[h.Node] = &stock{}
		}
		all[i] = nodes[h.Node]
	}
	for s := range m.All() {
		groups := store.Groups(s.RowSize)
		for _, h := range s.Held {
			if h != custody.Nowhere {
				k := all[h]
				k.shards, k.bytes, k.groups = k.shards+1, k.bytes+s.RowSize, k.groups+groups
			}
		}
	}
	return nodes
}

// draw draws n groups, uniformly over all groups and not over shards: what matters is
// how many bytes are there.
func (k *stock) draw(n int, random *rand.Rand) {
	for range n {
		if k.groups > 0 {
			k.places = append(k.places, random.Int64N(k.groups))
		}
	}
	slices.Sort(k.places)
	k.places = slices.Compact(k.places)
}

// find says which groups of which shards were drawn: a second pass.
func find(m *custody.Map, nodes map[ident.PublicKey]*stock) {
	holders := m.Holders()
	all := make([]*stock, len(holders))
	passed := map[*stock]*int64{}
	for i, h := range holders {
		k := nodes[h.Node]
		if all[i] = k; passed[k] == nil {
			passed[k] = new(int64)
		}
	}
	at := make([]*int64, len(holders))
	for i, k := range all {
		at[i] = passed[k]
	}
	for s := range m.All() {
		groups := store.Groups(s.RowSize)
		for index, h := range s.Held {
			if h == custody.Nowhere {
				continue
			}
			k, before := all[h], *at[h]
			*at[h] += groups
			for len(k.picks) < len(k.places) && k.places[len(k.picks)] < before+groups {
				group := k.places[len(k.picks)] - before
				k.picks = append(k.picks, pick{custody.Shard{Segment: s.CID, Index: index}, group})
			}
		}
	}
}
