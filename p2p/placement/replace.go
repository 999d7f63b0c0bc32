package placement

import (
	"cmp"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Replace returns for each row, which is lost or has to leave its holder, the index in
// nodes of the node that is to hold it from now on, or None where no operator has
// room. Placed says where the segment's shards are, or were (None for a gap, and for one
// whose holder's operator is not among nodes). With every row put where it is told, the
// rules of Choose hold: at most one shard for each operator while there are n operators,
// or an even share, and never more than n-k, while there are fewer. An operator whose
// own row is among them gets that one before another's: while it is on record as his,
// one more would be above his share, and of operators who take over one another's rows
// in a circle none could ever begin. No zone gets more than n-k shards, where all
// operators together can keep to that: such a row waits for them, unless the segment is
// in danger without it. An operator that holds none of the segment
// comes first, then a node and a zone with few of its shards, then the winner of the
// weighted draw. The result depends on the seed, the segment's shards and the set of
// candidates, so that two who repair one segment choose alike.
//
// Nodes names every operator that counts, those without free space too. The node that
// has lost a row may get it again, if it is there with space.
func Replace(seed [32]byte, code erasure.Code, nodes []Candidate, placed []int, rows []int) []int {
	left := slices.Clone(placed)
	for _, row := range rows {
		if row < len(left) {
			left[row] = None
		}
	}
	load, limit := newLoad(nodes, left, None), Share(code, Operators(nodes))
	free := roomy(rank(lots{seed, 0}, nodes, func(i int) bool { return load.operator(nodes, i) < limit }))
	zone := code.N
	if load.fullest()+len(rows) > code.N-code.K { // else the law is kept in any case
		zone = LawOf(code, nodes).InZone(code.N)
	}
	out := make([]int, len(rows))
	for i := range rows {
		out[i] = load.best(nodes, free, limit, zone)
		if out[i] == None && Endangered(code, load.shards()) {
			// Beyond the law the segment is no worse off when the zone is lost, and better
			// off when anything else is.
			out[i] = load.best(nodes, free, limit, code.N)
		}
		load.take(nodes, out[i])
	}
	ownFirst(nodes, placed, rows, out)
	return out
}

// ownFirst gives an operator who gets another's row, and whose own goes to somebody else
// or nobody, his own instead.
func ownFirst(nodes []Candidate, placed, rows, out []int) {
	was := func(i int) int { // where row i was
		if r := rows[i]; r >= 0 && r < len(placed) && placed[r] >= 0 && placed[r] < len(nodes) {
			return placed[r]
		}
		return None
	}
	foreign := func(i int, operator ident.PublicKey) bool {
		return out[i] != None && nodes[out[i]].Operator == operator && (was(i) == None || nodes[was(i)].Operator != operator)
	}
	// Each exchange gives one more operator his own row, so that it ends.
	for i := 0; i < len(out); i++ {
		if was(i) == None || out[i] != None && nodes[out[i]].Operator == nodes[was(i)].Operator {
			continue
		}
		for j := range out {
			if foreign(j, nodes[was(i)].Operator) {
				out[i], out[j] = out[j], out[i]
				i = -1 // who is exchanged may have another's row as well
				break
			}
		}
	}
}

// roomy lists the nodes of ranked operators, in their order.
func roomy(ranked []operator) (nodes []int) {
	for _, o := range ranked {
		for _, n := range o.nodes {
			nodes = append(nodes, n.node)
		}
	}
	return nodes
}

// best returns the node among free, which are in the order of the draw, that may take
// one more shard, with no more than limit of its operator and zone of its zone, and loses
// least with the others.
func (l load) best(nodes []Candidate, free []int, limit, zone int) int {
	best := None
	for _, i := range free {
		may := l.operator(nodes, i) < limit && l.zone[nodes[i].Zone] < zone
		if may && (best == None || l.compare(nodes, i, best) < 0) {
			best = i
		}
	}
	return best
}

// compare orders nodes by what would be lost with them.
func (l load) compare(nodes []Candidate, a, b int) int {
	return cmp.Or(
		cmp.Compare(l.operator(nodes, a), l.operator(nodes, b)),
		cmp.Compare(l.node[a], l.node[b]),
		cmp.Compare(l.zone[nodes[a].Zone], l.zone[nodes[b].Zone]),
	)
}

// take counts one more shard on a node.
func (l load) take(nodes []Candidate, i int) {
	if i == None {
		return
	}
	l.node[i]++
	l.op[nodes[i].Operator]++
	l.zone[nodes[i].Zone]++
}
