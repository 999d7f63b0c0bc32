package placement

import (
	"fmt"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Law is how many shards of one segment may be lost together.
//
// SPEC: no single node, operator or zone, where there are enough zones, holds more than
// n-k shards of a segment.
type Law struct {
	Most  int  // n-k
	Zones bool // it can be kept for zones, too
}

// LawOf returns the law for a code among candidates. It holds for zones if the operators
// of the candidates, with or without free space, could keep it together: a zone that is
// full or down does not make another one's loss harmless.
func LawOf(code erasure.Code, nodes []Candidate) Law {
	law := Law{Most: code.N - code.K}
	limit := Share(code, Operators(nodes))
	room := map[string]int{} // what a zone may still take
	for _, c := range nodes {
		room[c.Zone] = law.Most
	}
	placed := 0
	for _, zones := range zonesOf(nodes) { // who is in one zone alone comes first
		for range limit {
			best := slices.MaxFunc(zones, func(a, b string) int { return room[a] - room[b] })
			if room[best] > 0 {
				room[best]--
				placed++
			}
		}
	}
	law.Zones = placed >= code.N
	return law
}

// zonesOf returns the zones of each operator, those of the operators with fewest zones
// first.
func zonesOf(nodes []Candidate) [][]string {
	by := map[ident.PublicKey][]string{}
	for _, c := range nodes {
		if !slices.Contains(by[c.Operator], c.Zone) {
			by[c.Operator] = append(by[c.Operator], c.Zone)
		}
	}
	out := make([][]string, 0, len(by))
	for _, zones := range by {
		slices.Sort(zones)
		out = append(out, zones)
	}
	slices.SortFunc(out, func(a, b []string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare(a, b)
	})
	return out
}

// zoneLimit returns how many shards of a segment one zone gets while so many operators
// have space. With all of them the evenest spread is the best there is.
func zoneLimit(code erasure.Code, nodes []Candidate, usable int) int {
	if usable == Operators(nodes) {
		return code.N
	}
	return LawOf(code, nodes).InZone(code.N)
}

// InZone returns how many of n shards one zone may hold.
func (l Law) InZone(n int) int {
	if l.Zones {
		return l.Most
	}
	return n
}

// Breach is one party that holds more shards of a segment than may be lost together.
type Breach struct {
	Operator ident.PublicKey // zero for a zone
	Zone     string
	Shards   int
	Most     int
}

// String says it in one line.
func (b Breach) String() string {
	who := "operator " + b.Operator.Short()
	if b.Operator.IsZero() {
		who = fmt.Sprintf("zone %q", b.Zone)
	}
	return fmt.Sprintf("%s holds %d shards of a segment, of which %d may be lost", who, b.Shards, b.Most)
}

// Breaches returns who holds more of a placed segment than may be lost: operators, of
// which a node is never more than a part, and zones whether or not the law can be kept
// for them.
func (l Law) Breaches(nodes []Candidate, placed []int) []Breach {
	load := newLoad(nodes, placed, None)
	var out []Breach
	for operator, n := range load.op {
		if n > l.Most {
			out = append(out, Breach{Operator: operator, Shards: n, Most: l.Most})
		}
	}
	for zone, n := range load.zone {
		if n > l.Most {
			out = append(out, Breach{Zone: zone, Shards: n, Most: l.Most})
		}
	}
	slices.SortFunc(out, func(a, b Breach) int {
		if c := a.Operator.Compare(b.Operator); c != 0 {
			return c
		}
		return slices.Compare([]string{a.Zone}, []string{b.Zone})
	})
	return out
}
