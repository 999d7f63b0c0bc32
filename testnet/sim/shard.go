package sim

import "time"

// condition is how one shard is.
type condition uint8

const (
	sound   condition = iota
	damaged           // this one alone, on a disk that lives on
	ruined            // with everything else that its node stored
)

// shard is one of a segment's, wherever it is. Those of one node are a list.
type shard struct {
	holder     int // number of the node
	next, prev int // in the list of its holder; negative for none
	condition  condition
	known      bool // the members know that it is not sound
}

const none = -1

// put writes down that a sound shard is with a holder from now on, and no more where
// it was: what comes back there later counts for nothing.
func (w *world) put(id, holder int) {
	w.unlink(id)
	s, sh := id/w.n(), &w.shards[id]
	if sh.condition != sound {
		w.state[s].gone--
	}
	wasUp := sh.condition == sound && w.serves(sh.holder)
	sh.holder, sh.condition, sh.known = holder, sound, false
	w.link(id)
	w.count(s, wasUp, w.serves(holder))
	w.custody.Move(w.names[s], id%w.n(), holder)
}

// harm makes a shard unsound.
func (w *world) harm(id int, how condition) {
	sh, s := &w.shards[id], id/w.n()
	if sh.condition != sound {
		return
	}
	sh.condition = how
	st := &w.state[s]
	st.gone++
	w.tally.worst = max(w.tally.worst, st.gone)
	if w.watch && st.gone == 1 {
		w.begun = append(w.begun, s)
	}
	if st.gone > w.n()-w.k() && !st.lost {
		st.lost = true
		w.tally.lost++
	}
	w.count(s, w.serves(sh.holder), false)
}

// serves reports whether a node answers.
func (w *world) serves(holder int) bool { return w.nodes[holder].up }

// count keeps the number of a segment's shards that can be read, and since when it
// cannot be read, after one of them changed. One that is lost is not waited for.
func (w *world) count(s int, before, after bool) {
	st := &w.state[s]
	if after && !before {
		st.online++
	}
	if before && !after {
		st.online--
	}
	if dark := st.online < w.k() && !st.lost; dark != st.dark {
		w.passDark()
		st.dark = dark
		if dark {
			w.tally.darkNow++
		} else {
			w.tally.darkNow--
		}
	}
}

// passDark adds up the time that segments could not be read, until now.
func (w *world) passDark() {
	t := &w.tally
	t.dark += float64(t.darkNow) * years(w.now-t.darkAt)
	t.darkAt = w.now
}

// link puts a shard into the list of its holder.
func (w *world) link(id int) {
	sh := &w.shards[id]
	sh.next, sh.prev = none, none
	first := &w.nodes[sh.holder].shards
	if sh.next = *first; sh.next != none {
		w.shards[sh.next].prev = id
	}
	*first = id
}

func (w *world) unlink(id int) {
	sh := &w.shards[id]
	if sh.prev != none {
		w.shards[sh.prev].next = sh.next
	} else {
		w.nodes[sh.holder].shards = sh.next
	}
	if sh.next != none {
		w.shards[sh.next].prev = sh.prev
	}
}

// years turns a time into a number of years.
func years(t time.Duration) float64 { return t.Hours() / hoursOfYear }
