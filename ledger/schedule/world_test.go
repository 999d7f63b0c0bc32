package schedule

import (
	"math/rand/v2"

	"holdfast/ledger"
)

// world is the honest members of a vault, and all that was signed.
type world struct {
	*facts
	honest []int
	voters []voter // the honest members
	minds  []*mind // the same, where they are played
	random *rand.Rand
}

// voter is what a writer can ask an honest member for: a vote, a report, an ack or, of
// what is only adopted, nothing. What it promises it has on its disk before.
type voter interface {
	vote(f *facts, s subject, bound int, final bool) error
	report(member int, p place) (report, error)
	take(f *facts, s subject, ack bool) error
}

// vault is what a world is made of. The weak rules are for tests that must find what is
// wrong with them; the ledger itself has no such switch.
type vault struct {
	members, liars, quorum int
	weak                   weakness
}

// sound is a vault with the ledger's own numbers.
func sound(members, liars int) vault {
	return vault{members: members, liars: liars, quorum: ledger.Quorum(members)}
}

// weakness is a rule that is left out.
type weakness int

const (
	none      weakness = iota
	onePhase           // what is certified counts as final
	credulous          // a vote is given on top of any head
	heedless           // who consented to a release votes for what refers to it
	forgetful          // who voted for an entry consents to a release of what it refers to
	unfrozen           // who has frozen a charter goes on under it
	overrun            // what a charter governs goes on above the entry of its successor
)

func newWorld(v vault, random *rand.Rand) *world {
	w := &world{facts: newFacts(v), random: random}
	for m := range v.members - v.liars {
		w.honest = append(w.honest, m)
		w.minds = append(w.minds, new(mind))
		w.voters = append(w.voters, w.minds[m])
	}
	return w
}

// crash says whether a member dies now.
func (w *world) crash() bool { return w.random.IntN(64) == 0 }

// ask brings a proposal with the reports that suit it to a member. A vote that the
// member has on its disk is given again, so a crash before it is signed is a lost answer.
func (w *world) ask(member int, s subject) {
	bound, ok := w.allowed(s)
	if !ok || w.crash() {
		return
	}
	prev := w.entries[s.entry].prev
	err := w.voters[member].vote(w.facts, s, bound, prev != 0 && w.decided(prev))
	if err == nil && !w.crash() {
		w.facts.vote(member, s)
	}
}

// question asks a member for its report.
func (w *world) question(member int, p place) {
	if w.crash() {
		return
	}
	r, err := w.voters[member].report(member, p)
	if err == nil && !w.crash() {
		w.reports[p] = append(w.reports[p], r)
	}
}

// show brings a certificate to a member, to be acknowledged or adopted.
func (w *world) show(member int, s subject, ack bool) {
	if w.crash() {
		return
	}
	err := w.voters[member].take(w.facts, s, ack)
	if err == nil && ack && !w.crash() {
		w.facts.ack(member, s)
	}
}
