package repair

import (
	"slices"
	"time"

	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// This file holds the rule of which shards are lost.
//
// SPEC: a grace time so that a reboot costs nothing. A grace is only for what can afford
// it: margins at or below 1 (live-k <= 1) are repaired after 1/10 of it.

// hurry is what part of the grace an endangered segment waits, and one whose shards
// have never had a holder.
const hurry = 10

// finding is what is known of one segment's rows.
type finding struct {
	live    []int // rows that are there, of holders that answer; those that stay
	leaving []int // rows that are there, of holders that leave
	doubt   []int // rows of holders that are waited for
	lost    []int
}

// whole reports whether nothing is to be done.
func (f finding) whole() bool { return len(f.lost)+len(f.leaving)+len(f.doubt) == 0 }

// there is how many rows can be read now.
func (f finding) there() int { return len(f.live) + len(f.leaving) }

// judge sorts a segment's rows; of one that is whole it lists none. The lists are used
// again by the next call.
func (p *planner) judge(s custody.Segment) finding {
	f := finding{p.f.live[:0], p.f.leaving[:0], p.f.doubt[:0], p.f.lost[:0]}
	var missing []int
	if p.Missing != nil {
		missing = p.Missing(s.CID)
	}
	if len(missing) == 0 && p.well(s) {
		return f
	}
	silent := p.silent[:0] // the holders of the rows in doubt
	for row, h := range s.Held {
		switch {
		case h == custody.Nowhere:
			f.lost = append(f.lost, row)
		case slices.Contains(missing, row):
			f.lost = append(f.lost, row)
		case p.condition[h].Silent > 0:
			f.doubt = append(f.doubt, row)
			silent = append(silent, p.condition[h])
		case p.condition[h].Leaving:
			f.leaving = append(f.leaving, row)
		default:
			f.live = append(f.live, row)
		}
	}
	if len(f.doubt) > 0 {
		f.settle(silent, p.Grace, placement.Endangered(s.Code, f.there()))
	}
	p.f, p.silent = f, silent
	return f
}

// well reports whether every holder answers and stays. It is what most segments are.
func (p *planner) well(s custody.Segment) bool {
	for _, h := range s.Held {
		if h == custody.Nowhere || !p.fine[h] {
			return false
		}
	}
	return true
}

// settle counts rows whose holders have been silent for too long as lost. Where a segment
// is in danger no announced absence prolongs the grace, and it is short.
func (f *finding) settle(silent []Condition, grace time.Duration, danger bool) {
	doubt := f.doubt[:0]
	for i, row := range f.doubt {
		c := silent[i]
		if danger && c.Silent >= grace/hurry || c.Silent-c.Excused >= grace {
			f.lost = append(f.lost, row)
		} else {
			doubt = append(doubt, row)
		}
	}
	f.doubt = doubt
}
