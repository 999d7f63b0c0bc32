package sim

import "time"

// event is something that will happen to somebody at a time. Of two at the same time
// the one that was scheduled first comes first.
type event struct {
	at    time.Duration
	order uint64
	kind  kind
	who   int // a node, a place for a node, a shard, a member or a zone: see kind
	turn  int // which of several such events of the same one this is
}

// queue is a heap of events.
type queue struct {
	events []event
	order  uint64
}

func (q *queue) add(e event) {
	q.order++
	e.order = q.order
	q.events = append(q.events, e)
	h := q.events
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

// first returns the time of the next event, and whether there is one.
func (q *queue) first() (time.Duration, bool) {
	if len(q.events) == 0 {
		return 0, false
	}
	return q.events[0].at, true
}

// take removes the next event. There must be one.
func (q *queue) take() event {
	h := q.events
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	q.events = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return top
		}
		if down+1 < last && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(h[i]) {
			return top
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

func (e event) before(f event) bool {
	if e.at != f.at {
		return e.at < f.at
	}
	return e.order < f.order
}
