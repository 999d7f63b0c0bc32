package node

import (
	"time"

	"holdfast/internal/ident"
)

// waits remembers how long segments have not got better, so that stewards further back
// know when it is their turn. It is bounded: what it has no room for waits from when
// there is.
type waits struct {
	since map[ident.CID]waiting
	round int
}

type waiting struct {
	live  int
	since time.Time
	round int // in which it was last asked for
}

// maxWaits is how many segments of a vault are remembered.
const maxWaits = 1 << 16

func newWaits() *waits { return &waits{since: map[ident.CID]waiting{}} }

// begin begins a round; what nobody asks for in it is forgotten by end.
func (w *waits) begin() { w.round++ }

func (w *waits) end() {
	for s, e := range w.since {
		if e.round != w.round {
			delete(w.since, s)
		}
	}
}

// waited says how long a segment has had no more shards than these.
func (w *waits) waited(segment ident.CID, live int, now time.Time) time.Duration {
	e, known := w.since[segment]
	switch {
	case !known && len(w.since) >= maxWaits:
		return 0
	case !known || live > e.live:
		e.since = now
	}
	e.live, e.round = live, w.round
	w.since[segment] = e
	return max(now.Sub(e.since), 0)
}
