package placement

import "holdfast/internal/ident"

// load counts the shards of one segment that are placed, by who would lose them
// together.
type load struct {
	node map[int]int
	op   map[ident.PublicKey]int
	zone map[string]int
}

// newLoad counts all shards but one.
func newLoad(nodes []Candidate, placed []int, but int) load {
	l := load{make(map[int]int), make(map[ident.PublicKey]int), make(map[string]int)}
	for shard, i := range placed {
		if shard == but || i < 0 || i >= len(nodes) {
			continue
		}
		l.take(nodes, i)
	}
	return l
}

// shards is how many are placed.
func (l load) shards() (n int) {
	for _, of := range l.node {
		n += of
	}
	return n
}

// fullest is how many are in the zone that has most of them.
func (l load) fullest() (n int) {
	for _, in := range l.zone {
		n = max(n, in)
	}
	return n
}

func (l load) operator(nodes []Candidate, i int) int { return l.op[nodes[i].Operator] }
