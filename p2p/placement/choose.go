package placement

import (
	"slices"
	"sort"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// None stands in a placement for a shard that has no holder.
const None = -1

// Choose returns for each of the code's n shards the index in nodes of the node
// that is to hold it. The result depends on the seed, the number of the segment
// and the set of candidates, not on their order. Each operator gets at most one
// shard while there are n operators, and an even share, never more than n-k, while
// there are fewer. Among operators, and among the nodes of one, turns are in
// proportion to space and standing; as few zones as possible hold as many shards as any
// other. A candidate that leaves makes room for one other and displaces none. While
// operators are out of space, no zone gets more than n-k shards if with them none would:
// such a shard waits for its operator.
//
// Where not every shard finds a holder, the placement is returned with None in
// the gaps, together with ErrTooFew. An invalid code is an error that wraps
// erasure.ErrCode, without a placement.
func Choose(seed [32]byte, segment int, code erasure.Code, nodes []Candidate) ([]int, error) {
	if err := code.Check(); err != nil {
		return nil, err
	}
	l := lots{seed, segment}
	limit := Share(code, Operators(nodes))
	ranked := rank(l, nodes, func(int) bool { return true })
	all := l.turns(ranked, nodes, limit)
	taken := spread(all, nodes, code.N, zoneLimit(code, nodes, len(ranked)))
	placed := assign(taken, code.N)
	if len(taken) < code.N {
		return placed, ErrTooFew{missing(code, Operators(nodes), len(ranked))}
	}
	return placed, nil
}

// operator is one of a segment's possible holders, with his nodes that take shards,
// the one whose turn it is first.
type operator struct {
	key   ident.PublicKey
	lot   draw
	nodes []lot
}

type lot struct {
	node int // index in the list of candidates
	draw draw
}

// rank returns the operators that take shards, and of whose nodes it is true that they
// may, the winner of the draw first. Who may not does not change the order of the others;
// it is true of all of an operator's nodes or of none.
func rank(l lots, nodes []Candidate, may func(node int) bool) []operator {
	byKey := make(map[ident.PublicKey]*operator)
	for i, c := range nodes {
		w := c.weight()
		if w == 0 || !may(i) {
			continue
		}
		o := byKey[c.Operator]
		if o == nil {
			o = &operator{key: c.Operator}
			byKey[c.Operator] = o
		}
		o.lot.weight += w
		o.nodes = append(o.nodes, lot{node: i})
	}
	out := make([]operator, 0, len(byKey))
	for _, o := range byKey {
		o.lot.age = age(l.number(lotOperator, o.key))
		for i := range o.nodes {
			if c := nodes[o.nodes[i].node]; len(o.nodes) > 1 { // one alone wins without a draw
				o.nodes[i].draw = l.draw(lotNode, c.Node, c.weight())
			}
		}
		slices.SortFunc(o.nodes, func(a, b lot) int { return order(a.draw, b.draw, nodes[a.node].Node, nodes[b.node].Node) })
		out = append(out, *o)
	}
	slices.SortFunc(out, func(a, b operator) int { return order(a.lot, b.lot, a.key, b.key) })
	return out
}

// order compares two lots; equal ones are told apart by their keys.
func order(a, b draw, akey, bkey ident.PublicKey) int {
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	}
	return akey.Compare(bkey)
}

// turn is one operator's readiness to take one shard, on one of his nodes.
type turn struct {
	node int
	key  uint64 // decides which shard
}

// turns lists who may take shards, in the order in which they are asked: all
// operators once, then all a second time, up to limit rounds. An operator's nodes
// take his turns one after another.
func (l lots) turns(ranked []operator, nodes []Candidate, limit int) []turn {
	out := make([]turn, 0, len(ranked)*limit)
	for round := range limit {
		for _, o := range ranked {
			node := o.nodes[round%len(o.nodes)].node
			key := l.number(lotNode, nodes[node].Node)
			out = append(out, turn{node, mix(key, uint64(round/len(o.nodes)))})
		}
	}
	return out
}

// spread takes n turns, or all if there are fewer, in their order, but no more
// from one zone than the evenest spread needs, and never more than most.
func spread(all []turn, nodes []Candidate, n, most int) []turn {
	n = min(n, len(all))
	inZone := make(map[string]int)
	for _, t := range all {
		inZone[nodes[t.node].Zone]++
	}
	limit := sort.Search(n, func(z int) bool {
		sum := 0
		for _, have := range inZone {
			sum += min(have, z)
		}
		return sum >= n
	})
	limit = min(limit, most)
	taken := make([]turn, 0, n)
	used := make(map[string]int)
	for _, t := range all {
		zone := nodes[t.node].Zone
		if len(taken) < n && used[zone] < limit {
			used[zone]++
			taken = append(taken, t)
		}
	}
	return taken
}
