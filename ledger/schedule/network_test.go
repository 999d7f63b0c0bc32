package schedule

import "holdfast/ledger"

// verb is what a member is asked for.
type verb byte

const (
	propose verb = iota
	question
	certify
	adopt
)

// message is a question of a writer to a member.
type message struct {
	from  *writer
	to    int
	verb  verb
	at    subject
	bound int  // of a proposal: what its reports bind it to
	final bool // of a proposal: it brings acks for the entry before it
}

// answer is a member's.
type answer struct {
	refusal
	to     message
	from   int
	report report
}

// network holds what is on its way.
type network struct {
	w         *world
	questions []message
	answers   []answer
	dead      set
}

func (n *network) send(m message) { n.questions = append(n.questions, m) }

func (n *network) idle() bool { return len(n.questions)+len(n.answers) == 0 }

// deliver takes the message with a number out of what is on its way, or leaves it there
// to come again.
func (n *network) deliver(i int, keep bool) {
	if q := i - len(n.answers); q >= 0 {
		m := n.questions[q]
		if !keep {
			n.questions = append(n.questions[:q], n.questions[q+1:]...)
		}
		n.put(m)
		return
	}
	a := n.answers[i]
	if !keep {
		n.answers = append(n.answers[:i], n.answers[i+1:]...)
	}
	a.to.from.hear(a)
}

// lose drops a message.
func (n *network) lose(i int) {
	if q := i - len(n.answers); q >= 0 {
		n.questions = append(n.questions[:q], n.questions[q+1:]...)
		return
	}
	n.answers = append(n.answers[:i], n.answers[i+1:]...)
}

// put hands a question to a member.
func (n *network) put(m message) {
	if n.dead.has(m.to) {
		return
	}
	a, ok := n.w.lie(m)
	if m.to < len(n.w.honest) {
		a, ok = n.w.serve(m)
	}
	if ok && m.verb != adopt {
		a.to, a.from = m, m.to
		n.answers = append(n.answers, a)
	}
}

// serve is an honest member. It dies now and then before or after its disk has changed.
func (w *world) serve(m message) (answer, bool) {
	if w.crash() {
		return answer{}, false
	}
	mem := w.minds[m.to]
	var a answer
	var err error
	switch m.verb {
	case propose:
		err = mem.vote(w.facts, m.at, m.bound, m.final)
	case question:
		a.report, err = mem.report(m.to, m.at.place)
	default:
		err = mem.take(w.facts, m.at, m.verb == certify)
	}
	if w.crash() {
		return answer{}, false
	}
	switch {
	case err != nil:
		a.refusal = mem.lanes[m.at.lane].refuse(m.at.height, err)
	case m.verb == propose:
		w.facts.vote(m.to, m.at)
	case m.verb == question:
		w.reports[m.at.place] = append(w.reports[m.at.place], a.report)
	case m.verb == certify:
		w.facts.ack(m.to, m.at)
	}
	return a, true
}

// lie is a member that says what it likes, or nothing. It can show certificates that
// there are, and no others.
func (w *world) lie(m message) (answer, bool) {
	a := answer{report: report{place: m.at.place, member: m.to}}
	switch w.random.IntN(5) {
	case 0:
		return a, false
	case 1:
		a.refusal = refusal{err: ledger.ErrAttempt, floor: 1 + w.random.Int64N(1<<40)}
	case 2:
		a.refusal = refusal{err: []error{ledger.ErrStale, ledger.ErrLocked, ledger.ErrBehind, ledger.ErrUndecided, ledger.ErrFork}[w.random.IntN(5)]}
		if h := w.honest[w.random.IntN(len(w.honest))]; w.random.IntN(2) == 0 {
			a.refusal.chain = w.minds[h].lanes[m.at.lane].chain
		}
	}
	if len(w.certs) > 0 && m.verb == question {
		c := w.certs[w.random.IntN(len(w.certs))]
		if at := c.place; at.at(m.at.attempt) == m.at.place && c.attempt < m.at.attempt {
			a.report.highest = c
		}
	}
	return a, true
}

// proven says whether a chain is one of certificates.
func (f *facts) proven(lane int, chain []subject) bool {
	prev := 0
	for i, s := range chain {
		if s.lane != lane || s.height != int64(i)+1 || !f.certified(s) || f.entries[s.entry].prev != prev {
			return false
		}
		prev = s.entry
	}
	return true
}
