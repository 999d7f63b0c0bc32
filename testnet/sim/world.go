package sim

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger/custody"
)

// world is one vault, its operators and their nodes, at one time. It is copied as a
// whole: see clone.
type world struct {
	config *Config
	rng    *rand.Rand
	now    time.Duration
	queue  queue
	next   [processes]time.Duration // of what happens at random

	operators []operator
	seats     []seat
	nodes     []node // by their numbers as holders
	members   []member
	numbers   map[ident.PublicKey]int // node -> number

	custody  *custody.Map
	names    []ident.CID       // of the segments
	segments map[ident.CID]int // the same the other way round; never changed
	shards   []shard           // n of each segment
	state    []state           // by segment
	order    [][]int           // the members of each, the first to repair it in front; never changed, but replaced

	planAt   time.Duration // when members plan next; never if nothing is to be done
	planTurn int
	working  int  // segments that members work on
	backlog  bool // there were more to repair

	tally tally
	watch bool          // take note of segments that begin to lack shards
	begun []int         // those
	end   time.Duration // of the year that is looked at
	err   error
}

// operator is one of the vault's; in his place comes another when he is gone.
type operator struct {
	key         ident.PublicKey
	zone        int
	name        string // of the zone
	first, past int    // his seats
	gone        bool
}

// seat is a place for a node of an operator.
type seat struct {
	operator int
	node     int // who has it, or had it last, by number
}

// node is a holder. One that lost its disk does not come back: another takes its seat.
type node struct {
	key      ident.PublicKey
	operator int
	up       bool
	lost     bool          // its shards are gone for ever
	since    time.Duration // when it was last seen, if it is not up
	absences int
	shards   int // the first of its shards; none if negative
}

// state is how a segment is.
type state struct {
	gone   int // shards that are nowhere any more
	online int // shards that can be read now
	lost   bool
	dark   bool // it cannot be read now, and is not lost
	busy   bool // a member works on it
}

// tally is what a history comes to.
type tally struct {
	lost     int     // segments
	traffic  float64 // bytes read and written for repair
	rebuilt  int     // shards, or bundles of them
	needless int     // of these, of a holder that was only away
	dark     float64 // time that segments could not be read, in years, those lost not counted
	worst    int     // most shards that a segment lacked
	darkNow  int
	darkAt   time.Duration
}

// clone copies a world, which then goes on by other random numbers. What has been
// drawn and has not happened yet is drawn anew: it has no memory.
func (w *world) clone(rng *rand.Rand) *world {
	c := *w
	c.rng = rng
	c.queue.events = slices.Clone(w.queue.events)
	c.operators = slices.Clone(w.operators)
	c.seats = slices.Clone(w.seats)
	c.nodes = slices.Clone(w.nodes)
	c.members = slices.Clone(w.members)
	for i := range c.members {
		c.members[i].jobs = slices.Clone(w.members[i].jobs)
	}
	c.numbers = maps.Clone(w.numbers)
	c.custody = w.custody.Clone()
	c.shards = slices.Clone(w.shards)
	c.state = slices.Clone(w.state)
	c.watch, c.begun = false, nil
	for p := range processes {
		c.draw(p)
	}
	return &c
}

// n is the number of shards of a segment.
func (w *world) n() int { return w.config.Code.N }

// k is how many of them it takes.
func (w *world) k() int { return w.config.Code.K }
