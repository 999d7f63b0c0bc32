package schedule

import (
	"fmt"
	"slices"
	"testing"

	"holdfast/ledger"
)

// The exploration plays one height of one lane in every order. The writer lies, and makes
// two entries there; one of four members lies as well. What they and the network can do
// is ask any honest member for anything at any time, with all that was signed so far. So
// a state is what the three honest members have in mind and have signed, and as they are
// alike, in whatever order.

// Two entries at height 1, and the ballots of them: entry*attempts + attempt.
const twins = 2

// step is one thing that a member is asked for. For a vote, bound says that the reports
// bind it to the entry.
type step struct {
	what  byte // 'v'ote, 'r'eport, 'c'ertify, 'a'dopt
	entry int  // 0 or 1
	try   int
	bound bool
}

// minute is one member's memory, and all that it has signed.
type minute struct {
	memory
	votes, acks uint32   // of ballots
	reports     []uint32 // of each attempt: that it holds nothing, or (from bit 1 on) the certificate of a ballot
}

// explorer knows every minute by a number.
type explorer struct {
	tries    int
	liars    int
	quorum   int
	facts    *facts
	minutes  []minute
	known    map[string]int
	next     map[int]map[step]int
	breaches map[string]int
}

func newExplorer(tries, liars, quorum int) *explorer {
	x := &explorer{tries: tries, liars: liars, quorum: quorum, facts: newFacts(vault{members: 4, liars: liars, quorum: quorum}), known: map[string]int{}, next: map[int]map[step]int{}, breaches: map[string]int{}}
	for range twins {
		x.facts.add(entry{height: 1})
	}
	x.number(minute{reports: make([]uint32, tries)})
	return x
}

func (x *explorer) ballot(entry, try int) uint32 { return 1 << (entry*x.tries + try) }

func (x *explorer) subject(entry, try int) subject {
	return subject{place{height: 1, attempt: int64(try)}, entry + 1}
}

func (x *explorer) number(m minute) int {
	key := fmt.Sprint(m.state, m.chain, m.votes, m.acks, m.reports)
	n, ok := x.known[key]
	if !ok {
		n = len(x.minutes)
		x.known[key] = n
		x.minutes = append(x.minutes, m)
	}
	return n
}

// follow returns the minute after a step.
func (x *explorer) follow(n int, s step) int {
	if to, ok := x.next[n][s]; ok {
		return to
	}
	to := x.number(x.take(x.minutes[n], s))
	if x.next[n] == nil {
		x.next[n] = map[step]int{}
	}
	x.next[n][s] = to
	return to
}

func (x *explorer) take(m minute, s step) minute {
	at := x.subject(s.entry, s.try)
	m.reports = slices.Clone(m.reports)
	switch s.what {
	case 'v':
		bound := 0
		if s.bound {
			bound = at.entry
		}
		if m.vote(x.facts, at, bound, false) == nil {
			m.votes |= x.ballot(s.entry, s.try)
		}
	case 'r':
		if r, err := m.report(0, at.place); err == nil {
			bit := uint32(1)
			if r.highest.entry != 0 {
				bit = x.ballot(r.highest.entry-1, int(r.highest.attempt)) << 1
			}
			m.reports[s.try] |= bit
		}
	case 'c':
		if m.take(x.facts, at, true) == nil {
			m.acks |= x.ballot(s.entry, s.try)
		}
	case 'a':
		_ = m.take(x.facts, at, false)
	}
	return m
}

// view is what has been signed by all.
type view struct {
	x  *explorer
	ms []minute
}

// quorum says whether the members of which something holds and the liars are one.
func (v view) quorum(is func(minute) bool) bool {
	n := v.x.liars
	for _, m := range v.ms {
		if is(m) {
			n++
		}
	}
	return n >= v.x.quorum
}

func (v view) certified(entry, try int) bool {
	b := v.x.ballot(entry, try)
	return v.quorum(func(m minute) bool { return m.votes&b != 0 })
}

func (v view) final(entry, try int) bool {
	b := v.x.ballot(entry, try)
	return v.quorum(func(m minute) bool { return m.acks&b != 0 })
}

// steps returns all that can be asked for.
func (v view) steps() []step {
	var out []step
	for try := range v.x.tries {
		if try > 0 {
			out = append(out, step{'r', 0, try, false})
		}
		free := try == 0 || v.quorum(func(m minute) bool { return m.reports[try]&1 != 0 })
		for entry := range twins {
			if v.certified(entry, try) {
				out = append(out, step{'c', entry, try, false}, step{'a', entry, try, false})
			}
			if free {
				out = append(out, step{'v', entry, try, false})
			} else if v.binds(entry, try) {
				out = append(out, step{'v', entry, try, true})
			}
		}
	}
	return out
}

// binds says whether reports of a quorum bind a proposal to an entry: a liar shows its
// highest certificate below that attempt, and no honest one a higher one of the other.
func (v view) binds(entry, try int) bool {
	for top := try - 1; top >= 0; top-- {
		if !v.certified(entry, top) {
			continue
		}
		fit := uint32(1)
		for below := range top + 1 {
			fit |= v.x.ballot(entry, below) << 1
			if below < top {
				fit |= v.x.ballot(1-entry, below) << 1
			}
		}
		return v.quorum(func(m minute) bool { return m.reports[try]&fit != 0 })
	}
	return false
}

// judge looks for what must never be.
func (v view) judge() string {
	for entry := range twins {
		for try := range v.x.tries {
			if entry == 0 && v.certified(0, try) && v.certified(1, try) {
				return fmt.Sprintf("two certificates at attempt %d", try)
			}
			if !v.final(entry, try) {
				continue
			}
			for other := range v.x.tries {
				if v.final(1-entry, other) {
					return fmt.Sprintf("two final entries, of attempts %d and %d", try, other)
				}
				if other > try && v.certified(1-entry, other) {
					return fmt.Sprintf("the final entry of attempt %d is lost to attempt %d", try, other)
				}
			}
		}
	}
	return ""
}

// explore visits every state of three honest members, or two.
func (x *explorer) explore(honest int) (states int, breach string) {
	var start [3]int
	for i := honest; i < 3; i++ {
		start[i] = -1
	}
	slices.Sort(start[:])
	seen := map[[3]int]bool{start: true}
	todo := [][3]int{start}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		v := view{x: x}
		for _, n := range s {
			if n >= 0 {
				v.ms = append(v.ms, x.minutes[n])
			}
		}
		if breach := v.judge(); breach != "" {
			return len(seen), breach
		}
		for _, step := range v.steps() {
			for i, n := range s {
				if n < 0 {
					continue
				}
				to := s
				to[i] = x.follow(n, step)
				slices.Sort(to[:])
				if !seen[to] {
					seen[to] = true
					todo = append(todo, to)
				}
			}
		}
	}
	return len(seen), ""
}

// TestEveryOrder: one liar among four members, in every order.
func TestEveryOrder(t *testing.T) {
	x := newExplorer(2, 1, ledger.Quorum(4))
	states, breach := x.explore(3)
	t.Logf("%d states of %d minutes", states, len(x.minutes))
	if breach != "" {
		t.Error(breach)
	}
	for name, weak := range map[string]*explorer{
		"two liars": newExplorer(2, 2, 3),
		"two votes": newExplorer(2, 1, 2),
	} {
		states, breach := weak.explore(4 - weak.liars)
		t.Logf("%s: after %d states: %s", name, states, breach)
		if breach == "" {
			t.Errorf("%s: nothing was found", name)
		}
	}
}
