package schedule

import (
	"errors"

	"holdfast/ledger"
)

// ballot is how the rules see an entry at a place.
func (f *facts) ballot(s subject) ledger.Ballot {
	return ledger.Ballot{Height: s.height, Attempt: s.attempt, Entry: name(s.entry), Prev: name(f.entries[s.entry].prev)}
}

// memory is what one honest member remembers of one lane: the state that the ledger's
// rules return, and the entries of which it holds the certificates.
type memory struct {
	state ledger.LaneState
	chain []subject // from height 1 on; never changed in place
}

// head returns the highest certificate.
func (m memory) head() subject {
	if len(m.chain) == 0 {
		return subject{}
	}
	return m.chain[len(m.chain)-1]
}

// vote is the rule for a proposal. Bound is the entry to which its reports bind it, and
// final says that it brings acks of a quorum for the entry before it.
func (m *memory) vote(f *facts, s subject, bound int, final bool) error {
	next, err := m.state.Vote(f.ballot(s), name(bound), final || f.weak == credulous)
	if err == nil {
		m.state = next
	}
	return err
}

// report is the rule for a question.
func (m *memory) report(member int, p place) (report, error) {
	next, err := m.state.Report(p.height, p.attempt)
	if err != nil {
		return report{}, err
	}
	m.state = next
	r := report{place: p, member: member}
	if h := m.head(); h.height == p.height {
		r.highest = h
	}
	return r, nil
}

// take is the rule for a certificate, which is acknowledged or adopted.
func (m *memory) take(f *facts, s subject, ack bool) error {
	rule := m.state.Adopt
	if ack {
		rule = m.state.Certify
	}
	next, err := rule(f.ballot(s))
	if err != nil {
		return err
	}
	if h := m.head(); h.entry != s.entry || h.attempt < s.attempt {
		m.chain = append(m.chain[:s.height-1:s.height-1], s)
	}
	m.state = next
	return nil
}

// restart is where the lane stands when a charter begins after a height.
func (m *memory) restart(height int64) {
	m.chain = m.chain[:height:height]
	m.state = ledger.LaneState{}
	if height == 0 {
		return
	}
	head := m.head()
	m.state = ledger.LaneState{Height: height, Start: height, Entry: name(head.entry), Attempt: head.attempt}
	if height > 1 {
		m.state.Prev = name(m.chain[height-2].entry)
	}
}

// refusal is what a member says when it does not do as it is asked.
type refusal struct {
	err   error
	chain []subject
	floor int64 // at the height that it is about
}

func (m memory) refuse(height int64, err error) refusal {
	return refusal{err: err, chain: m.chain, floor: m.state.Floor(height)}
}

func (r refusal) is(err error) bool { return errors.Is(r.err, err) }
