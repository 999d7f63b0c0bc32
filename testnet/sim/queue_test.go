package sim

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Events come in the order of their times, and of their scheduling where times are
// equal, however taking and adding take turns.
func TestQueueIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		n, now := 0, time.Duration(0)
		var last event
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if _, any := q.first(); !any || rapid.Bool().Draw(t, "add") {
				q.add(event{at: now + time.Duration(rapid.IntRange(0, 5).Draw(t, "in")), who: n})
				n++
				continue
			}
			at, _ := q.first()
			e := q.take()
			if e.at != at || e.at < now || e.at == last.at && e.who < last.who && last.order > e.order {
				t.Fatalf("%+v came after %+v", e, last)
			}
			for _, f := range q.events {
				if f.before(e) {
					t.Fatalf("%+v was taken before %+v", e, f)
				}
			}
			now, last = e.at, e
		}
	})
}
