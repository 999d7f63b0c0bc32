package sim

import "time"

// What the program does by itself to find damage, at its default settings.
const (
	inventoryEvery = 24 * time.Hour      // a holder says what it has
	scrubEvery     = 30 * 24 * time.Hour // a node reads everything that it has once
	auditsEachDay  = 200                 // groups that all members together ask of a holder
	auditEvery     = 2 * time.Hour       // between two rounds of them
	group          = 16 << 10            // bytes

	// saidTwice is how long it takes until a holder's own word counts.
	saidTwice = auditEvery
)

// rot damages one shard. Its holder finds it when it comes to read it again, or a
// member does when it happens to ask for it.
func (w *world) rot(id int) {
	sh := &w.shards[id]
	if sh.condition != sound {
		return
	}
	w.harm(id, damaged)
	w.in(min(between(w.rng, scrubEvery), wait(w.rng, w.asked())+saidTwice), found, id, sh.holder)
}

// asked is how often in a year members ask for a group of one certain shard. The whole
// of it is damaged: any of its groups shows that.
func (w *world) asked() float64 {
	groups := float64(w.config.NodeData) / group
	of := max(float64(w.row())/group, 1)
	return min(auditsEachDay*365*of/groups, float64(year/auditEvery))
}

// find makes the damage of a shard known, if it is still there. A node that is away
// finds nothing.
func (w *world) find(id, holder int) {
	sh := &w.shards[id]
	switch {
	case sh.holder != holder || sh.condition == sound || w.nodes[holder].lost:
	case !w.nodes[holder].up:
		w.in(inventoryEvery, found, id, holder)
	default:
		sh.known = true
		w.wake(0)
	}
}

// takeStock makes everything known that a node misses.
func (w *world) takeStock(number int) {
	n := &w.nodes[number]
	if n.lost {
		return
	}
	if !n.up {
		w.in(inventoryEvery, counted, number, 0)
		return
	}
	for id := n.shards; id != none; id = w.shards[id].next {
		if sh := &w.shards[id]; sh.condition != sound {
			sh.known = true
		}
	}
	w.wake(0)
}
