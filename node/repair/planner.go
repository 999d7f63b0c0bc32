package repair

import (
	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// planner is a view with what is worked out once for all segments.
type planner struct {
	View
	holders   []custody.Holder
	condition []Condition // by holder
	fine      []bool      // by holder: it answers and stays

	nodes    []placement.Candidate // the candidates, and behind them holders that are none
	at       []int                 // holder -> its index in nodes; None if its operator is no candidate
	operator []int                 // index in nodes -> number of its operator
	takes    []bool                // number of an operator -> one of his nodes takes shards
	takers   int                   // operators of whom that is true

	zone []int                // index in nodes -> number of its zone
	most map[erasure.Code]int // shards that one zone may hold

	// Used again for each segment.
	others []int // indexes in nodes
	load   []int
	inZone []int // by zone
	f      finding
	silent []Condition
}

func newPlanner(v View) *planner {
	p := &planner{View: v, holders: v.Custody.Holders(), most: map[erasure.Code]int{}}
	p.condition = make([]Condition, len(p.holders))
	for h := range p.holders {
		p.condition[h] = v.Condition(h)
		p.fine = append(p.fine, p.condition[h] == Condition{})
	}
	p.seat()
	p.number()
	return p
}

// seat finds the holders among the candidates. One that is silent or leaves takes
// nothing. One that is no candidate, of an operator who has others, counts without
// space; of any other operator it counts no more.
func (p *planner) seat() {
	type name struct{ node, operator ident.PublicKey }
	p.nodes = append(make([]placement.Candidate, 0, len(p.Candidates)+len(p.holders)), p.Candidates...)
	index, operators := make(map[name]int, len(p.nodes)), make(map[ident.PublicKey]bool, len(p.nodes))
	for i, c := range p.nodes {
		index[name{c.Node, c.Operator}] = i
		operators[c.Operator] = true
	}
	p.at = make([]int, len(p.holders))
	for h, holder := range p.holders {
		i, known := index[name{holder.Node, holder.Operator}]
		switch {
		case known && (p.condition[h].Silent > 0 || p.condition[h].Leaving):
			p.nodes[i].Space = 0
		case !known && operators[holder.Operator]:
			i = len(p.nodes)
			p.nodes = append(p.nodes, placement.Candidate{Node: holder.Node, Operator: holder.Operator, Zone: holder.Zone})
		case !known:
			i = placement.None
		}
		p.at[h] = i
	}
}

// number numbers the zones and the operators, and notes which of these take shards.
func (p *planner) number() {
	numbers, zones := make(map[ident.PublicKey]int, len(p.nodes)), make(map[string]int)
	p.operator, p.zone = make([]int, len(p.nodes)), make([]int, len(p.nodes))
	for i, c := range p.nodes {
		z, known := zones[c.Zone]
		if !known {
			z = len(zones)
			zones[c.Zone] = z
			p.inZone = append(p.inZone, 0)
		}
		p.zone[i] = z
		n, known := numbers[c.Operator]
		if !known {
			n = len(numbers)
			numbers[c.Operator] = n
			p.takes = append(p.takes, false)
		}
		p.operator[i] = n
		if c.Takes() && !p.takes[n] {
			p.takes[n] = true
			p.takers++
		}
	}
}

func (p *planner) seatOf(h int) int {
	if h == custody.Nowhere {
		return placement.None
	}
	return p.at[h]
}
