package sim

import "time"

// loseDisk takes the node in a seat for ever, with all that it stores.
func (w *world) loseDisk(at int) {
	if w.lose(w.seats[at].node) && !w.operators[w.seats[at].operator].gone {
		w.replaceLater(seated, at)
	}
}

// replaceLater has a new one come after a while, if ever.
func (w *world) replaceLater(k kind, who int) {
	if w.config.Replace > 0 {
		w.in(w.config.Replace, k, who, 0)
	}
}

// lose takes a node for ever; false if it is lost already.
func (w *world) lose(number int) bool {
	n := &w.nodes[number]
	if n.lost {
		return false
	}
	if n.up {
		w.leave(number)
	}
	n.lost = true
	for id := n.shards; id != none; id = w.shards[id].next {
		w.harm(id, ruined)
	}
	return true
}

// loseOperator takes an operator for ever, with all his nodes.
func (w *world) loseOperator(o int) {
	op := &w.operators[o]
	if op.gone {
		return
	}
	op.gone = true
	for at := op.first; at < op.past; at++ {
		w.lose(w.seats[at].node)
	}
	w.replaceLater(succeeded, o)
}

// loseZone takes all nodes in a zone for ever. Their operators live on.
func (w *world) loseZone(zone int) {
	for _, o := range w.operators {
		for at := o.first; o.zone == zone && at < o.past; at++ {
			w.loseDisk(at)
		}
	}
}

// ruin is a version that destroys what its nodes store. Each operator runs one version
// on all his nodes, and runs this one by chance, whatever the others do. The nodes live
// on, and find out when they next count what they have.
func (w *world) ruin() {
	for _, o := range w.operators {
		if w.rng.Float64() >= w.config.VersionShare {
			continue
		}
		for at := o.first; at < o.past; at++ {
			number := w.seats[at].node
			if w.nodes[number].lost {
				continue
			}
			for id := w.nodes[number].shards; id != none; id = w.shards[id].next {
				w.harm(id, ruined)
			}
			w.in(between(w.rng, inventoryEvery)+saidTwice, counted, number, 0)
		}
	}
}

// goAway lets a node be silent for a while.
func (w *world) goAway(number int) {
	n := &w.nodes[number]
	if !n.up {
		return
	}
	w.leave(number)
	w.in(wait(w.rng, 1/years(w.config.Outage)), returns, number, n.absences)
}

// leave makes a node silent, and has the members look again when its grace is over, or
// the short one of what is in danger.
func (w *world) leave(number int) {
	n := &w.nodes[number]
	n.up = false
	n.since = w.now
	n.absences++
	for id := n.shards; id != none; id = w.shards[id].next {
		if w.shards[id].condition == sound {
			w.count(id/w.n(), true, false)
		}
	}
	w.in(w.config.Grace, silent, number, n.absences)
	w.in(w.config.Grace/hurry, silent, number, n.absences)
}

// hurry is how much earlier than at the end of a grace members may want to look.
const hurry = 10

// stayAway has the members look, if the node is still away and is missed: at the end of
// the grace, or before that if half of what some segment can lose is out of reach.
func (w *world) stayAway(number, absence int) {
	n := &w.nodes[number]
	if n.up || n.absences != absence || n.shards == none {
		return
	}
	if w.now-n.since >= w.config.Grace {
		w.wake(0)
		return
	}
	for id := n.shards; id != none; id = w.shards[id].next {
		if s := w.state[id/w.n()]; 2*(s.online-w.k()) <= w.n()-w.k() {
			w.wake(0)
			return
		}
	}
}

// comeBack ends an absence.
func (w *world) comeBack(number, absence int) {
	n := &w.nodes[number]
	if n.lost || n.absences != absence {
		return
	}
	n.up = true
	for id := n.shards; id != none; id = w.shards[id].next {
		if w.shards[id].condition == sound {
			w.count(id/w.n(), false, true)
		}
	}
	w.better()
}

// replaceNode seats a new, empty node, unless its operator is gone, or was, and his
// successor has come with nodes of his own.
func (w *world) replaceNode(at int) {
	if s := w.seats[at]; !w.operators[s.operator].gone && w.nodes[s.node].lost {
		w.occupy(at)
		w.better()
	}
}

// replaceOperator lets a new operator in, with as many nodes in the same zone; the
// charter admits him, as a member if the other was one.
func (w *world) replaceOperator(o int) {
	op := &w.operators[o]
	op.key, op.gone = digest(w.rng), false
	for at := op.first; at < op.past; at++ {
		w.occupy(at)
	}
	if o < len(w.members) {
		w.appoint()
	}
	w.better()
}

// better has the members look, if something could not be repaired before.
func (w *world) better() {
	if w.backlog {
		w.wake(0)
	}
}

// lookEvery is how long members take to notice that there is something to repair.
const lookEvery = time.Minute
