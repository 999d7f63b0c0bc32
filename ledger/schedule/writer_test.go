package schedule

import (
	"holdfast/ledger"
)

// writer is an honest writer of a lane, as package vault is one: it takes one entry after
// another to its end. It believes nothing but certificates, and acks of a quorum.
type writer struct {
	w    *world
	net  *network
	lane int
	disk image
	// stored counts its own entries that it was told are final.
	stored int

	// What it is about, and forgets when it is killed.
	goal    subject
	phase   verb
	proof   bool // acks of a quorum for the entry below the goal
	got     set
	refused set
	reports map[int]report
	bound   int
	floor   int64    // the highest that it heard of
	avoid   segments // that are closing: it sends what is in them again
	taught  map[int]int
	tries   int
}

// image is what is on its disk: the certificates that it knows, from height 1 on, and the
// entry that it would add.
type image struct {
	chain []subject
	draft int
}

const (
	patience = 3  // how often it asks again before it makes another attempt
	lessons  = 3  // how often it brings one member up to date
	stride   = 16 // how far it goes up for what one member says
)

func newWriter(w *world, net *network, lane int) *writer {
	c := &writer{w: w, net: net, lane: lane}
	c.begin()
	return c
}

// restart is what happens after it was killed, perhaps with an older disk.
func (c *writer) restart(disk image) {
	*c = writer{w: c.w, net: c.net, lane: c.lane, disk: disk, stored: c.stored}
	c.begin()
}

// begin proposes the entry after the highest that it knows.
func (c *writer) begin() {
	h := int64(len(c.disk.chain)) + 1
	prev := c.below(h)
	if d := c.w.entries[c.disk.draft]; c.disk.draft == 0 || d.height != h || d.prev != prev {
		c.draft(h, prev)
	}
	c.aim(subject{place{0, c.lane, h, 0}, c.disk.draft}, propose)
}

// draft makes the entry that it would add.
func (c *writer) draft(h int64, prev int) {
	refs := segments(c.w.random.IntN(4)&c.w.random.IntN(4)) &^ c.avoid
	c.disk.draft = c.w.add(entry{lane: c.lane, height: h, prev: prev, refs: refs})
}

// below returns the entry that one of a height follows.
func (c *writer) below(h int64) int {
	if h == 1 {
		return 0
	}
	return c.disk.chain[h-2].entry
}

// aim turns to something else.
func (c *writer) aim(s subject, phase verb) {
	if s.height != c.goal.height {
		c.floor = 0
	}
	if phase != propose || s.attempt == 0 {
		c.bound = 0
	}
	c.goal, c.phase, c.got, c.refused, c.tries, c.taught = s, phase, 0, 0, 0, map[int]int{}
	if phase == question {
		c.reports = map[int]report{}
	}
	c.ask()
}

// ask sends to every member that has not done what it was asked for.
func (c *writer) ask() {
	for m := range c.w.members {
		if !c.got.has(m) {
			c.net.send(message{to: m, verb: c.phase, at: c.goal, bound: c.bound, final: c.proof, from: c})
		}
	}
}

// timeout is when it has waited long enough.
func (c *writer) timeout() {
	if c.tries++; c.tries > patience {
		c.next()
		return
	}
	c.ask()
}

// next makes another attempt. What one member says about floors may be a lie: it goes up
// by so much at once.
func (c *writer) next() {
	s := c.goal
	s.attempt = 1 + min(max(c.floor, s.attempt), s.attempt+stride)
	c.aim(s, question)
}

// hear takes a member's answer.
func (c *writer) hear(a answer) {
	if a.err != nil {
		c.refuse(a)
		return
	}
	if a.to.verb != c.phase || a.to.at.place != c.goal.place || c.phase != question && a.to.at.entry != c.goal.entry || c.got.has(a.from) {
		return
	}
	c.got = c.got.with(a.from)
	if c.phase == question {
		c.reports[a.from] = a.report
	}
	if c.got.size() < c.w.quorum {
		return
	}
	switch c.phase {
	case question:
		c.obey()
	case propose:
		c.aim(c.goal, certify)
	case certify:
		c.done()
	}
}

// obey proposes what the reports bind it to, or what it wanted.
func (c *writer) obey() {
	var highest subject
	for _, r := range c.reports {
		if r.highest.entry != 0 && (highest.entry == 0 || r.highest.attempt > highest.attempt) {
			highest = r.highest
		}
	}
	s := c.goal
	if highest.entry != 0 {
		s.entry = highest.entry
	} else if e := c.w.entries[s.entry]; e.refs&c.avoid != 0 {
		c.draft(e.height, e.prev)
		s.entry = c.disk.draft
	}
	c.bound = highest.entry
	c.aim(s, propose)
}

// done goes on after an entry that is final.
func (c *writer) done() {
	c.disk.chain = append(c.disk.chain[:c.goal.height-1:c.goal.height-1], c.goal)
	if c.goal.entry == c.disk.draft {
		c.stored, c.disk.draft = c.stored+1, 0
	}
	c.proof = true
	c.begin()
}

// refuse takes a refusal, which says where the member stands.
func (c *writer) refuse(a answer) {
	if c.learn(a.refusal.chain) || a.to.at.place != c.goal.place || a.to.verb != c.phase {
		return
	}
	switch {
	case a.is(ledger.ErrUndecided) && !c.proof && len(c.disk.chain) > 0:
		c.complete()
		return
	case (a.is(ledger.ErrBehind) || a.is(ledger.ErrFork)) && c.taught[a.from] < lessons:
		c.taught[a.from]++
		c.teach(a)
		return
	}
	if a.is(errClosing) {
		c.avoid |= c.w.entries[a.to.at.entry].refs
	}
	c.floor = max(c.floor, a.floor)
	c.refused = c.refused.with(a.from)
	if c.w.members-c.refused.size() < c.w.quorum {
		c.next()
	}
}

// learn takes a chain of certificates that goes beyond what it knows, and completes its
// top. It says whether it did.
func (c *writer) learn(chain []subject) bool {
	h := int64(len(chain))
	if h < c.goal.height || !c.w.proven(c.lane, chain) {
		return false
	}
	top := chain[h-1]
	if h == c.goal.height && (top.attempt < c.goal.attempt || top.attempt == c.goal.attempt && c.phase == certify) {
		return false
	}
	c.disk.chain = append([]subject(nil), chain[:h-1]...)
	c.proof = false
	c.aim(top, certify)
	return true
}

// complete gathers the acks of the highest entry that it knows.
func (c *writer) complete() {
	top := c.disk.chain[len(c.disk.chain)-1]
	c.disk.chain = c.disk.chain[: top.height-1 : top.height-1]
	c.aim(top, certify)
}

// teach sends a member what it lacks, and asks it again.
func (c *writer) teach(a answer) {
	for i, s := range c.disk.chain {
		if i >= len(a.refusal.chain) || a.refusal.chain[i].entry != s.entry {
			c.net.send(message{to: a.from, verb: adopt, at: s, from: c})
		}
	}
	again := a.to
	again.final = c.proof
	c.net.send(again)
}
