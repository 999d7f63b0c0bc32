package repair

import (
	"slices"

	"holdfast/erasure"
	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// room reports whether some operator may take one more shard of a segment of which
// some rows do not count. It is placement's rule, without a choice: most segments that
// are looked at are not repaired now, or not by this steward.
func (p *planner) room(s custody.Segment, but []int) bool {
	p.others = p.others[:0]
	for row, h := range s.Held {
		if i := p.seatOf(h); i != placement.None && !slices.Contains(but, row) {
			p.others = append(p.others, i)
		}
	}
	limit := placement.Share(s.Code, len(p.takes))
	if p.fullZone(s) && !placement.Endangered(s.Code, len(p.others)) {
		return p.roomElsewhere(s, limit)
	}
	return p.fullOperators(limit) < p.takers
}

// fullOperators counts the operators that take shards, and have their share already.
func (p *planner) fullOperators(limit int) (full int) {
	p.load = p.load[:0]
	for _, i := range p.others {
		if p.takes[p.operator[i]] {
			p.load = append(p.load, p.operator[i])
		}
	}
	slices.Sort(p.load)
	for i := limit - 1; i < len(p.load); i++ {
		// An operator is full at his limit-th shard, and counts once.
		if first := i - limit + 1; p.load[first] == p.load[i] && (first == 0 || p.load[first-1] != p.load[first]) {
			full++
		}
	}
	return full
}

// fullZone counts the shards that stay by their zones, and reports whether one of them
// can take no more.
func (p *planner) fullZone(s custody.Segment) bool {
	clear(p.inZone)
	fullest := 0
	for _, i := range p.others {
		p.inZone[p.zone[i]]++
		fullest = max(fullest, p.inZone[p.zone[i]])
	}
	return fullest >= s.Code.N-s.Code.K && fullest >= p.mostInZone(s.Code)
}

// mostInZone returns how many shards of a segment one zone may hold.
func (p *planner) mostInZone(code erasure.Code) int {
	most, known := p.most[code]
	if !known {
		most = placement.LawOf(code, p.nodes).InZone(code.N)
		p.most[code] = most
	}
	return most
}

// roomElsewhere reports whether an operator has room on a node outside of full zones.
func (p *planner) roomElsewhere(s custody.Segment, limit int) bool {
	most := p.mostInZone(s.Code)
	for i, c := range p.nodes {
		has := 0
		for _, other := range p.others {
			if p.operator[other] == p.operator[i] {
				has++
			}
		}
		if c.Takes() && has < limit && p.inZone[p.zone[i]] < most {
			return true
		}
	}
	return false
}
