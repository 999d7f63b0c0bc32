package audit

import (
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// This file holds the rule of when a holder is suspect, and when it is gone.
//
// SPEC: a time-out, a reset, a paused volume, busy: suspicion, never guilt. Who is
// suspect becomes gone for repair after repair_after. Announced away prolongs that.

// Contact is how a node took a question.
type Contact int

// The contacts.
const (
	Served Contact = iota // it answered, whatever it said about a shard
	Paused                // it answered that its volume is not there
	Silent                // it did not answer, was busy, or broke off
)

// reach is what is known of how a node answers, whatever it is asked. Times are in
// milliseconds, 0 for never.
type reach struct {
	Operator ident.PublicKey `cbor:"operator,omitzero"` // zero of a node that holds nothing of any vault
	First    int64           `cbor:"first"`             // asked for the first time
	Asked    int64           `cbor:"asked"`             // for the last time
	Last     Contact         `cbor:"last"`              // what came of it
	Since    int64           `cbor:"since"`             // when it began to answer like that
	Down     int64           `cbor:"down"`              // ms in which it was seen not to serve, since it last did, and was not announced to be away
	Excused  int64           `cbor:"exc,omitempty"`     // the same, while it was announced to be
	Away     int64           `cbor:"away,omitempty"`    // until when it is announced to be away
	Left     int64           `cbor:"left,omitempty"`    // when that was first said; 0 if it is not
	Draining bool            `cbor:"drain,omitempty"`   // it has said that it moves its shards elsewhere
	Moved    int64           `cbor:"moved"`             // transfers that went well, in millionths, lately
	Up       uptime          `cbor:"up"`
}

func newReach(operator ident.PublicKey, now time.Time) reach {
	return reach{Operator: operator, First: ledger.Millis(now), Since: ledger.Millis(now), Moved: million}
}

// heard takes an answer in, or that there was none. The time in which a node is down
// is added up between questions, and never for longer at once than within, so that it
// is time in which somebody has looked: a machine that was off itself, or whose clock
// was set, has not.
func (r *reach) heard(c Contact, now time.Time, within time.Duration) {
	t := ledger.Millis(now)
	if c != r.Last {
		r.Since = t
	}
	switch {
	case c == Served:
		r.Down, r.Excused = 0, 0
	case r.Last != Served && r.away(now):
		r.Excused += between(r.Asked, t, within)
	case r.Last != Served:
		r.Down += between(r.Asked, t, within)
	}
	if !r.away(now) {
		r.Up.count(t, c == Served)
	}
	r.Last, r.Asked = c, t
}

// between is how much of the time between two questions somebody has looked.
func between(from, to int64, within time.Duration) int64 {
	if passed := to - from; passed >= 0 && passed <= within.Milliseconds() {
		return passed
	}
	return 0
}

func (r *reach) away(now time.Time) bool { return ledger.Millis(now) < r.Away }

// state says how the node is, and since when.
func (r *reach) state(now time.Time, repairAfter time.Duration) (ledger.HolderState, int64) {
	switch {
	case r.Last != Served && r.Down >= repairAfter.Milliseconds():
		return ledger.HolderGone, r.Since
	case r.away(now):
		return ledger.HolderAway, r.Since
	case r.Last == Paused:
		return ledger.HolderPaused, r.Since
	case r.Last == Silent:
		return ledger.HolderSuspect, r.Since
	case r.Draining:
		return ledger.HolderDraining, r.Since
	}
	return ledger.HolderOK, r.Since
}

// The uptime of a node is kept for 30 days, in parts of 12 hours, so that a day in
// which it was asked often counts no more than another.
const (
	uptimePart  = 12 * time.Hour
	uptimeParts = 60
	million     = 1_000_000
)

// uptime counts answers in the parts of the last 30 days, oldest first.
type uptime []uptimeCount

type uptimeCount struct {
	Part   int64 `cbor:"p"` // since 1970
	Asked  int64 `cbor:"a"`
	Served int64 `cbor:"s"`
}

// count adds one question. What a clock that was set back says goes to the newest part.
func (u *uptime) count(t int64, served bool) {
	part := t / uptimePart.Milliseconds()
	if n := len(*u); n == 0 || (*u)[n-1].Part < part {
		*u = append(*u, uptimeCount{Part: part})
	}
	last := &(*u)[len(*u)-1]
	last.Asked++
	if served {
		last.Served++
	}
	for len(*u) > 1 && (*u)[0].Part <= last.Part-uptimeParts {
		*u = (*u)[1:]
	}
}

// share is the mean over the parts in which the node was asked, in millionths. Fewer
// than four parts say too little.
func (u uptime) share() int64 {
	if len(u) < 4 {
		return million
	}
	sum := int64(0)
	for _, c := range u {
		sum += c.Served * million / c.Asked
	}
	return sum / int64(len(u))
}
