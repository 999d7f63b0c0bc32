package sim

import (
	"context"
	"fmt"
	"time"
)

// kind says what happens.
type kind uint8

const (
	returns   kind = iota // a node, after its absence number turn
	silent                // a node has been away for a while, in its absence number turn
	seated                // a new node comes to a seat
	succeeded             // a new operator comes in another's place
	found                 // the damage of a shard, which its holder number turn had
	counted               // all that a node has ruined
	repaired              // a member's job is done
	planned               // members look what is to be done, if that is plan number turn
	zoneLost              // a zone
	bug                   // a version, whoever runs it
)

// process is what happens at random, at a constant rate, to whoever it hits.
type process int

const (
	diskLoss process = iota
	departure
	absence
	decay
	processes
)

// rate is how often a process hits the vault in a year.
func (w *world) rate(p process) float64 {
	c := w.config
	switch p {
	case diskLoss:
		return Rate(c.AFR) * float64(len(w.seats))
	case departure:
		return Rate(c.OperatorLoss) * float64(len(w.operators))
	case absence:
		return c.Offline / (1 - c.Offline) / years(c.Outage) * float64(len(w.seats))
	default:
		return Rate(c.Rot) * float64(len(w.shards))
	}
}

// draw sets when a process hits next.
func (w *world) draw(p process) { w.next[p] = w.now + wait(w.rng, w.rate(p)) }

// strike lets a process hit one of those that it can hit. If that one is gone already,
// nothing happens; so the rate for each that is there does not change.
func (w *world) strike(p process) {
	switch p {
	case diskLoss:
		w.loseDisk(w.rng.IntN(len(w.seats)))
	case departure:
		w.loseOperator(w.rng.IntN(len(w.operators)))
	case absence:
		w.goAway(w.seats[w.rng.IntN(len(w.seats))].node)
	default:
		w.rot(w.rng.IntN(len(w.shards)))
	}
	w.draw(p)
}

// in schedules an event.
func (w *world) in(d time.Duration, k kind, who, turn int) {
	w.queue.add(event{at: w.now + min(d, never), kind: k, who: who, turn: turn})
}

// patience is how many events pass between two looks at the context.
const patience = 1 << 12

// run lets time pass until a time, or until what just happened is enough. It ends early
// with an error when the context does.
func (w *world) run(ctx context.Context, until time.Duration, enough func() bool) error {
	for i := 0; w.err == nil; i++ {
		if i%patience == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		next := diskLoss
		for p := range processes {
			if w.next[p] < w.next[next] {
				next = p
			}
		}
		at, any := w.queue.first()
		scheduled := any && at <= w.next[next]
		if !scheduled {
			at = w.next[next]
		}
		if at >= until {
			w.now = until
			break
		}
		w.now = at
		if scheduled {
			w.happen(w.queue.take())
		} else {
			w.strike(next)
		}
		if enough != nil && enough() {
			break
		}
	}
	w.passDark()
	return w.err
}

func (w *world) happen(e event) {
	switch e.kind {
	case returns:
		w.comeBack(e.who, e.turn)
	case silent:
		w.stayAway(e.who, e.turn)
	case seated:
		w.replaceNode(e.who)
	case succeeded:
		w.replaceOperator(e.who)
	case found:
		w.find(e.who, e.turn)
	case counted:
		w.takeStock(e.who)
	case repaired:
		w.finish(e.who)
	case planned:
		w.plan(e.turn)
	case zoneLost:
		w.loseZone(e.who)
	case bug:
		w.ruin()
	default:
		panic(fmt.Sprintf("an event of kind %d", e.kind))
	}
}
