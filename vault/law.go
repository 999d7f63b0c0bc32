package vault

import (
	"maps"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/placement"
)

// breaches says, in a line for each, who holds more shards of a segment than may be lost
// together, at the worst of some segments; nobody where it is empty. Placement keeps to
// the law wherever the operators can: what is found here cannot be helped with them.
//
// SPEC: no single node, operator or zone, where there are enough zones, holds more than
// n-k shards of a segment.
func breaches(code erasure.Code, candidates []placement.Candidate, segments [][]ident.PublicKey) []string {
	type party struct {
		operator ident.PublicKey
		zone     string
	}
	number := map[ident.PublicKey]int{}
	for i, c := range candidates {
		number[c.Node] = i
	}
	law := placement.LawOf(code, candidates)
	worst := map[party]placement.Breach{}
	for _, nodes := range segments {
		placed := make([]int, len(nodes))
		for shard, node := range nodes {
			i, ok := number[node]
			if placed[shard] = i; !ok {
				placed[shard] = placement.None
			}
		}
		for _, b := range law.Breaches(candidates, placed) {
			who := party{b.Operator, b.Zone}
			if who == (party{}) {
				continue // nodes of no zone are in none
			}
			if b.Shards > worst[who].Shards {
				worst[who] = b
			}
		}
	}
	out := []string{}
	for b := range maps.Values(worst) {
		out = append(out, b.String())
	}
	slices.Sort(out)
	return out
}

// law says who holds too much of what a commit has placed.
func (r *round) law(segments [][]ident.PublicKey) []string {
	return breaches(r.charter.Coded(), r.placer.candidates, segments)
}
