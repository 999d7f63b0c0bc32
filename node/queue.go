package node

import (
	"time"

	"holdfast/internal/ident"
	"holdfast/node/repair"
)

// queue is what a steward has still to do for one vault, as status shows it.
type queue struct {
	outlook repair.Outlook
	left    int       // of the last plan
	active  int       // of these, are worked on
	since   time.Time // when it was last empty; zero while it is
}

// queue returns a vault's, for a caller that holds the lock.
func (w *steward) queue(vault ident.CID) *queue {
	q := w.queues[vault]
	if q == nil {
		q = &queue{}
		w.queues[vault] = q
	}
	return q
}

// note remembers what a plan says.
func (w *steward) note(vault ident.CID, out repair.Outlook, tasks int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queue(vault)
	q.outlook, q.left, q.active = out, tasks, 0
	switch {
	case tasks == 0:
		q.since = time.Time{}
	case q.since.IsZero():
		q.since = w.stamp.now()
	}
}

// began counts a job that is worked on from now on.
func (w *steward) began(j repair.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue(j.Charter().ID()).active++
}

// ended counts a job that is not worked on any more.
func (q *queue) ended() { q.left, q.active = max(q.left-1, 0), max(q.active-1, 0) }

// status says what this node has to do, and has done, as a steward.
func (w *steward) status() RepairStatus {
	s := w.did.status()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, q := range w.queues {
		s.Queue, s.Active = s.Queue+int64(q.left), s.Active+int64(q.active)
		if !q.since.IsZero() {
			s.Oldest = max(s.Oldest, w.stamp.now().Sub(q.since).Seconds())
		}
	}
	return s
}
