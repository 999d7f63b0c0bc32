package sim

import (
	"cmp"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/node/repair"
)

// Planner decides what is repaired, as repair.Plan does.
type Planner func(v repair.View, limit int) ([]repair.Task, repair.Outlook)

// jobLimit is how many jobs a member takes on at a time: few, so that a segment that
// becomes the most endangered waits for little else.
const jobLimit = 4

// member is an operator of the vault who repairs, by his first node.
type member struct {
	operator int
	jobs     []job // the most endangered segment first; the first one is under way if busy
	busy     bool
}

// job is a task that a member has taken on.
type job struct {
	segment int
	life    time.Duration
	rows    []move
}

// move is a row and the number of the node that gets it.
type move struct{ row, to int }

// wake has the members look after a while, unless they do so before that anyway.
func (w *world) wake(after time.Duration) {
	if at := w.now + lookEvery + after; w.config.RepairRate > 0 && at < w.planAt {
		w.planAt = at
		w.planTurn++
		w.queue.add(event{at: at, kind: planned, turn: w.planTurn})
	}
}

// alive reports whether a member can repair.
func (w *world) alive(m *member) bool {
	return w.nodes[w.seats[w.operators[m.operator].first].node].up
}

// view is what the members know.
func (w *world) view() repair.View {
	return repair.View{
		Custody: w.custody, Condition: w.condition, Missing: w.missing,
		Candidates: w.candidates(), Grace: w.config.Grace, Stewards: w.stewards(),
		Busy: func(s ident.CID) bool { return w.occupied(w.segments[s]) },
	}
}

func (w *world) condition(holder int) repair.Condition {
	if n := &w.nodes[holder]; !n.up {
		return repair.Condition{Silent: max(w.now-n.since, 1)}
	}
	return repair.Condition{}
}

func (w *world) missing(segment ident.CID) (rows []int) {
	first := w.segments[segment] * w.n()
	for row := range w.n() {
		if sh := &w.shards[first+row]; sh.known {
			rows = append(rows, row)
		}
	}
	return rows
}

// plan has the program decide what is to be repaired. One plan for all members is what
// each of them would come to: the first of a segment's stewards that is alive acts.
func (w *world) plan(turn int) {
	if turn != w.planTurn {
		return
	}
	w.planAt = never
	room := 0
	for _, m := range w.members {
		room += jobLimit - len(m.jobs)
	}
	tasks, outlook := w.config.Plan(w.view(), room)
	for _, t := range tasks {
		w.assign(t)
	}
	w.backlog = outlook.Damaged-outlook.Waiting > w.working
	for i := range w.members {
		w.start(i)
	}
}

// assign gives a task to the steward whose turn it is, unless it has enough to do.
func (w *world) assign(t repair.Task) {
	s, known := w.segments[t.Segment.CID]
	if !known || w.occupied(s) {
		return
	}
	j := job{segment: s, life: t.Life}
	for _, to := range t.To {
		j.rows = append(j.rows, move{to.Row, w.numbers[to.Node]})
	}
	w.state[s].busy = true
	w.working++
	w.members[w.steward(s)].take(j)
}

// steward is the member whose turn it is to repair a segment: the first that is alive
// in the segment's order; none if none is.
func (w *world) steward(s int) int {
	for _, i := range w.order[s] {
		if w.alive(&w.members[i]) {
			return i
		}
	}
	return none
}

// occupied reports whether a segment has to wait: a member works on it, or the one
// whose turn it is has enough to do.
func (w *world) occupied(s int) bool {
	if w.state[s].busy {
		return true
	}
	i := w.steward(s)
	return i == none || len(w.members[i].jobs) >= jobLimit
}

// appoint works out in which order the members care for each segment.
func (w *world) appoint() {
	stewards, at := w.stewards(), make(map[ident.PublicKey]int)
	for i, s := range stewards {
		at[s.Operator] = i
	}
	w.order = make([][]int, len(w.names))
	for s, cid := range w.names {
		for _, first := range repair.Order(cid, stewards) {
			w.order[s] = append(w.order[s], at[first.Operator])
		}
	}
}

func (w *world) stewards() (out []repair.Steward) {
	for i := range w.members {
		m := &w.members[i]
		out = append(out, repair.Steward{Operator: w.operators[m.operator].key, Alive: w.alive(m)})
	}
	return out
}

// take puts a job among the others, behind the one that is under way.
func (m *member) take(j job) {
	first := 0
	if m.busy {
		first = 1
	}
	at, _ := slices.BinarySearchFunc(m.jobs[first:], j, func(a, b job) int {
		return cmp.Or(cmp.Compare(a.life, b.life), -1)
	})
	m.jobs = slices.Insert(m.jobs, first+at, j)
}

// start has a member begin its next job, if it has one and is not at work. A job that
// cannot be done is given back.
func (w *world) start(i int) {
	m := &w.members[i]
	for !m.busy && len(m.jobs) > 0 {
		if bytes := w.cost(m.jobs[0]); bytes > 0 && w.alive(m) {
			m.busy = true
			w.tally.traffic += bytes
			w.in(time.Duration(bytes/float64(w.config.RepairRate)*float64(time.Second)), repaired, i, 0)
			return
		}
		w.giveBack(m)
	}
}

// retry is how long members leave a segment alone that could not be repaired.
const retry = time.Hour

func (w *world) giveBack(m *member) {
	w.drop(m)
	w.wake(retry)
}

// drop takes a member's first job off it.
func (w *world) drop(m *member) {
	w.state[m.jobs[0].segment].busy = false
	w.working--
	m.jobs = slices.Delete(m.jobs, 0, 1)
}

// cost is how many bytes a job reads and writes: k rows, and those that it rebuilds. It
// is 0 for one that nobody can do now.
func (w *world) cost(j job) float64 {
	if w.state[j.segment].online < w.k() {
		return 0
	}
	largest, sum := 0.0, 0.0
	for _, r := range j.rows {
		if w.serves(r.to) {
			size := w.size(j.segment*w.n() + r.row)
			largest = max(largest, size)
			sum += size
		}
	}
	return float64(w.k())*largest + sum
}

// size is what a shard stands for: one that is damaged alone for itself.
func (w *world) size(id int) float64 {
	if w.shards[id].condition == damaged {
		return float64(w.row())
	}
	return w.bundle()
}

// finish ends a member's job: what it rebuilt is with its new holders, if those, and
// enough to rebuild from, are still there.
func (w *world) finish(i int) {
	m := &w.members[i]
	m.busy = false
	j := m.jobs[0]
	if !w.alive(m) || w.cost(j) == 0 {
		w.giveBack(m)
		w.start(i)
		return
	}
	for _, r := range j.rows {
		id := j.segment*w.n() + r.row
		if !w.serves(r.to) {
			continue
		}
		if w.shards[id].condition == sound {
			w.tally.needless++
		}
		w.tally.rebuilt++
		w.put(id, r.to)
	}
	w.drop(m)
	switch {
	case w.lacks(j.segment): // others, by now
		w.wake(0)
	case len(m.jobs) == 0:
		w.better()
	}
	w.start(i)
}

// lacks reports whether some of a segment's shards are known to be lost, or with a node that
// has been silent for longer than the grace.
func (w *world) lacks(s int) bool {
	for id := s * w.n(); id < (s+1)*w.n(); id++ {
		sh := &w.shards[id]
		n := &w.nodes[sh.holder]
		if sh.known || !n.up && w.now-n.since >= w.config.Grace {
			return true
		}
	}
	return false
}
