package audit

import (
	"time"

	"holdfast/ledger"
)

// This file holds the rule of when a holder that answers is taken for one that does not.
// By refusing or failing every question it would else keep its good name, and its shards
// would be found one by one.

// said is what a holder has said of the groups that were drawn.
type said int

const (
	unasked   said = iota // nothing was drawn, or no request went out
	something             // of one of them at least, good or bad
	nothing               // of none, although it answers
)

// saying judges a holder's answers by now.
func (w *visit) saying() said {
	switch {
	case w.passed > 0 || len(w.denied)+len(w.lied) > 0:
		return something
	case w.asked && w.contact == Served && (w.refused || len(w.silent)+len(w.excused) > 0):
		return nothing
	}
	return unasked
}

// mute is how long a holder has answered and said of no group that was drawn whether it
// has it: it has refused, or failed, all of them. That is no serving. Times are in
// milliseconds, 0 for never.
type mute struct {
	Since int64 `cbor:"since"` // the first such round
	Last  int64 `cbor:"last"`  // the last one
	For   int64 `cbor:"for"`   // in which that was seen
}

// heard takes a round in. Rounds in which nothing was drawn say nothing.
func (m *mute) heard(s said, now int64, within time.Duration) {
	switch {
	case s == something:
		*m = mute{}
	case s == nothing && m.Since == 0:
		*m = mute{Since: now, Last: now}
	case s == nothing:
		m.For, m.Last = m.For+between(m.Last, now, within), now
	}
}

// state is how such a holder is.
func (m mute) state(repairAfter time.Duration) ledger.HolderState {
	if m.For >= repairAfter.Milliseconds() {
		return ledger.HolderGone
	}
	return ledger.HolderSuspect
}
