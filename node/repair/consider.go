package repair

import (
	"cmp"
	"slices"
	"time"

	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// concern is a segment for which the plan's steward has something to do.
type concern struct {
	segment custody.Segment
	finding finding
	life    time.Duration
	move    bool
}

// kept returns a concern that stays as it is when the planner looks at other segments.
func (c concern) kept() concern {
	c.segment.Held = slices.Clone(c.segment.Held)
	c.finding = finding{
		slices.Clone(c.finding.live), slices.Clone(c.finding.leaving), slices.Clone(c.finding.doubt), slices.Clone(c.finding.lost),
	}
	return c
}

// compare orders concerns, the most endangered first.
func (c concern) compare(d concern) int {
	return cmp.Or(cmp.Compare(c.life, d.life), cmp.Compare(rank(c.move), rank(d.move)), c.segment.CID.Compare(d.segment.CID))
}

func rank(move bool) int {
	if move {
		return 1
	}
	return 0
}

// urgent is a heap with the least endangered segment on top.
type urgent []concern

func (u urgent) Len() int           { return len(u) }
func (u urgent) Less(i, j int) bool { return u[i].compare(u[j]) > 0 }
func (u urgent) Swap(i, j int)      { u[i], u[j] = u[j], u[i] }
func (u *urgent) Push(x any)        { *u = append(*u, x.(concern)) }
func (u *urgent) Pop() any {
	last := len(*u) - 1
	c := (*u)[last]
	*u = (*u)[:last]
	return c
}

// consider looks at one segment, counts it, and says whether there is something to do,
// whoever does it. The concern is good until the next call.
func (p *planner) consider(s custody.Segment, out *Outlook) (concern, bool) {
	out.Segments++
	f := p.judge(s)
	if f.whole() {
		return concern{}, false
	}
	out.count(s, f)
	c := concern{segment: s, finding: f, life: life(f.there(), s.Code.K)}
	rebuild := len(f.lost) > 0 && !p.ill(s) && p.ripe(s, f) && f.there() >= s.Code.K
	switch {
	case rebuild && p.room(s, f.lost):
	case len(f.leaving) > 0 && p.room(s, f.leaving):
		c.move = true
	case rebuild || len(f.leaving) > 0:
		out.NoRoom++
		return c, false
	default:
		return c, false
	}
	return c, true
}

// ill reports whether a segment cannot be rebuilt, whoever tries. What of it has to leave
// can be copied all the same.
func (p *planner) ill(s custody.Segment) bool { return p.IllCoded != nil && p.IllCoded(s.CID) }

// acts reports whether the plan's steward is the one to do something, now.
func (p *planner) acts(c concern) bool {
	s := c.segment.CID
	return (p.Busy == nil || !p.Busy(s)) && p.mine(s, c.finding.there())
}

// count takes a segment that is not whole in.
func (o *Outlook) count(s custody.Segment, f finding) {
	missing := len(f.lost) + len(f.doubt)
	if missing > 0 {
		o.Damaged++
	}
	if len(f.leaving) > 0 {
		o.Leaving++
	}
	switch {
	case f.there()+len(f.doubt) < s.Code.K:
		o.Lost++
	case missing > 0 && (len(f.lost) == 0 || f.there() < s.Code.K):
		o.Waiting++
	}
}

// ripe reports whether lost rows are to be rebuilt now. Rows that have never had a
// holder wait a little: who has committed may be about to complete it.
func (p *planner) ripe(s custody.Segment, f finding) bool {
	nowhere := 0
	for _, row := range f.lost {
		if s.Held[row] == custody.Nowhere {
			nowhere++
		}
	}
	return nowhere < len(f.lost) || p.waited(s.CID, f.there()) >= p.Grace/hurry
}

// task says who gets which row from where.
func (p *planner) task(c concern) Task {
	t := Task{Segment: c.segment, Life: c.life, Move: c.move}
	rows := c.finding.lost
	if c.move {
		rows = c.finding.leaving
	}
	placed := make([]int, len(c.segment.Held))
	for row, h := range c.segment.Held {
		placed[row] = p.seatOf(h)
	}
	for i, node := range placement.Replace(c.segment.CID.Hash(), c.segment.Code, p.nodes, placed, rows) {
		if node != placement.None {
			t.To = append(t.To, Place{rows[i], p.nodes[node].Node})
		}
	}
	t.From, t.Sure = p.sources(c, t.To)
	return t
}

// sources lists the rows to copy, or those to rebuild from: holders that answer before
// those that are waited for.
func (p *planner) sources(c concern, to []Place) (from []Place, sure int) {
	at := func(row int) Place { return Place{row, p.holders[c.segment.Held[row]].Node} }
	if c.move {
		for _, t := range to {
			from = append(from, at(t.Row))
		}
		return from, len(from)
	}
	f := c.finding
	there := slices.Concat(f.live, f.leaving)
	slices.Sort(there)
	for _, row := range append(there, f.doubt...) {
		from = append(from, at(row))
	}
	return from, len(there)
}
