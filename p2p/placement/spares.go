package placement

import (
	"slices"

	"holdfast/erasure"
)

// Spares returns the nodes that may hold a shard instead of the one that placed
// names for it, best first. The other shards stay where placed says (None for a
// gap); with them the rules of Choose hold for each spare taken alone: at most one
// shard for each operator, or an even share where there are fewer than n; and no more
// than n-k for a zone, where the operators can keep to that. Where placed holds more
// than that already, as after a change of the operators, nothing is added to it.
//
// The node that placed names comes back too if it has space: the caller leaves out
// the nodes that it cannot use. It is empty where no operator has room; then the
// segment has one shard less until there is one.
func Spares(seed [32]byte, segment int, code erasure.Code, nodes []Candidate, placed []int, shard int) []int {
	l := lots{seed, segment}
	limit := Share(code, Operators(nodes))
	load := newLoad(nodes, placed, shard)
	zone := LawOf(code, nodes).InZone(code.N)
	out := roomy(rank(l, nodes, func(i int) bool { return load.operator(nodes, i) < limit }))
	out = slices.DeleteFunc(out, func(i int) bool { return load.zone[nodes[i].Zone] >= zone })
	slices.SortStableFunc(out, func(a, b int) int { return load.compare(nodes, a, b) })
	return out
}
