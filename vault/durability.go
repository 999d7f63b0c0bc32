package vault

import (
	"holdfast/internal/ident"
	"holdfast/vault/object"
)

// Durability says how well the segments of a commit are spread.
type Durability struct {
	K         int `json:"k"`
	N         int `json:"n"`
	MinShards int `json:"min_shards"` // of the segment that has fewest
	Target    int `json:"target"`
	Operators int `json:"operators"`
	Zones     int `json:"zones"`
	Missing   int `json:"missing"` // shards that nobody holds yet
}

// durability speaks of every segment that the snapshot needs, also of those that
// earlier commits placed.
func (c *commit) durability(r *round, done object.Commit) Durability {
	code := c.charter.Coded()
	d := Durability{K: code.K, N: code.N, Target: code.N, MinShards: code.N, Missing: done.Incomplete}
	operators, zones := map[ident.PublicKey]bool{}, map[string]bool{}
	for _, seg := range done.Segments {
		have := 0
		for _, node := range seg.Nodes {
			if !node.IsZero() {
				have++
				operators[r.nodes[node].cert.Operator] = true
				zones[r.nodes[node].cert.Zone] = true
			}
		}
		d.MinShards = min(d.MinShards, have)
	}
	d.Operators, d.Zones = len(operators), len(zones)
	counted := map[ident.CID]bool{}
	for _, seg := range c.reused {
		if counted[seg.CID] {
			continue
		}
		counted[seg.CID] = true
		have := placed(seg.Nodes)
		d.MinShards = min(d.MinShards, have)
		d.Missing += len(seg.Nodes) - have
	}
	return d
}
