package placement

import (
	"cmp"
	"slices"

	"holdfast/erasure"
)

// Spares returns the nodes that may hold a shard instead of the one that placed
// names for it, best first. The other shards stay where placed says (None for a
// gap); with them the rules of Choose hold for each spare taken alone: at most one
// shard for each operator, or an even share where there are fewer than n. Where
// placed holds more than that already, as after a change of the operators, nothing
// is added to it.
//
// The node that placed names comes back too if it has space: the caller leaves out
// the nodes that it cannot use. It is empty where no operator has room; then the
// segment has one shard less until there is one.
func Spares(seed [32]byte, segment int, code erasure.Code, nodes []Candidate, placed []int, shard int) []int {
	l := lots{seed, segment}
	limit := share(code, Operators(nodes))
	load := newLoad(nodes, placed, shard)
	var out []int
	for _, o := range rank(l, nodes) {
		for _, n := range o.nodes {
			if load.operator(nodes, n.node) < limit {
				out = append(out, n.node)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(load.operator(nodes, a), load.operator(nodes, b)),
			cmp.Compare(load.node[a], load.node[b]),
			cmp.Compare(load.zone[nodes[a].Zone], load.zone[nodes[b].Zone]),
		)
	})
	return out
}
