package ledger_test

import (
	"errors"
	"reflect"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

func named(s string) ident.CID { return ident.SumDagCBOR([]byte(s)) }

// laneSteps is a lane of one member, and what it was asked.
type laneSteps struct {
	t *testing.T
	s ledger.LaneState
}

func (l *laneSteps) keep(next ledger.LaneState, err error, want error) {
	l.t.Helper()
	if !errors.Is(err, want) || err != nil && !reflect.DeepEqual(next, l.s) {
		l.t.Fatalf("%v, want %v (state %+v)", err, want, next)
	}
	l.s = next
}

// ballot is entry name at a height and attempt, on top of the entry prev.
func ballot(height, attempt int64, name, prev string) ledger.Ballot {
	b := ledger.Ballot{Height: height, Attempt: attempt, Entry: named(name)}
	if prev != "" {
		b.Prev = named(prev)
	}
	return b
}

func (l *laneSteps) vote(b ledger.Ballot, want error) {
	l.t.Helper()
	next, err := l.s.Vote(b, ident.CID{}, false)
	l.keep(next, err, want)
}

func (l *laneSteps) report(height, attempt int64, want error) {
	l.t.Helper()
	next, err := l.s.Report(height, attempt)
	l.keep(next, err, want)
}

func (l *laneSteps) certify(b ledger.Ballot, want error) {
	l.t.Helper()
	next, err := l.s.Certify(b)
	l.keep(next, err, want)
}

func (l *laneSteps) adopt(b ledger.Ballot, want error) {
	l.t.Helper()
	next, err := l.s.Adopt(b)
	l.keep(next, err, want)
}

// A lane without any attempt above 0.
func TestLaneGrows(t *testing.T) {
	l := &laneSteps{t: t}
	a, b := ballot(1, 0, "a", ""), ballot(2, 0, "b", "a")
	l.vote(b, ledger.ErrBehind)
	l.vote(a, nil)
	l.vote(a, nil)
	l.vote(ballot(1, 0, "other", ""), ledger.ErrLocked)
	l.certify(b, ledger.ErrBehind)
	l.certify(a, nil)
	l.certify(a, nil)
	l.vote(a, nil)
	l.vote(ballot(1, 0, "other", ""), ledger.ErrStale)
	l.vote(ballot(2, 0, "b", "other"), ledger.ErrFork)
	l.certify(ballot(1, 0, "other", ""), ledger.ErrFork)
	l.certify(ballot(2, 0, "b", "other"), ledger.ErrFork)
	l.vote(b, nil)
	if l.s.Open() != (ledger.Lock{Height: 2, Entry: named("b")}) {
		t.Errorf("open %+v", l.s.Open())
	}
	l.certify(b, nil)
	l.vote(a, ledger.ErrStale)
	l.adopt(a, ledger.ErrStale)
	if l.s.Height != 2 || l.s.Entry != named("b") || l.s.Prev != named("a") || !l.s.Sure || len(l.s.Locks) != 1 {
		t.Errorf("%+v", l.s)
	}
}

// A promise is kept, whatever comes.
func TestLaneKeepsItsFloor(t *testing.T) {
	l := &laneSteps{t: t}
	l.report(1, 0, ledger.ErrInvalid)
	l.report(2, 1, ledger.ErrBehind)
	l.vote(ballot(1, 0, "a", ""), nil)
	l.report(1, 2, nil)
	l.report(1, 2, nil)
	l.report(1, 1, ledger.ErrAttempt)
	l.vote(ballot(1, 0, "a", ""), ledger.ErrAttempt)
	l.vote(ballot(1, 1, "a", ""), ledger.ErrAttempt)
	l.certify(ballot(1, 1, "a", ""), ledger.ErrAttempt)
	l.vote(ballot(1, 4, "b", ""), nil)
	if l.s.Floor(1) != 4 || l.s.Floor(2) != 0 || l.s.Promised(1) != 4 || l.s.Promised(7) != 1 {
		t.Errorf("floors %v", l.s.Floors)
	}
	l.adopt(ballot(1, 1, "a", ""), nil)
	if l.s.Sure || l.s.Decided() {
		t.Error("sure of what came below a promise")
	}
	l.certify(ballot(1, 1, "a", ""), ledger.ErrAttempt)
	l.vote(ballot(2, 0, "c", "a"), ledger.ErrUndecided)
	l.certify(ballot(1, 4, "b", ""), nil)
	if l.s.Entry != named("b") || l.s.Attempt != 4 {
		t.Errorf("head %+v", l.s)
	}
	l.certify(ballot(1, 1, "a", ""), ledger.ErrStale)
	l.report(1, 4, ledger.ErrAttempt)
	l.report(1, 5, nil)
	if l.s.Promised(1) != 5 {
		t.Errorf("promised %d", l.s.Promised(1))
	}
}

// What its reports bind a proposal to must be proposed; acks, or a certificate above,
// prove the entry below.
func TestLaneVotesOnProof(t *testing.T) {
	var s ledger.LaneState
	if _, err := s.Vote(ballot(1, 1, "a", ""), named("b"), false); !errors.Is(err, ledger.ErrMismatch) {
		t.Error(err)
	}
	if _, err := s.Vote(ballot(1, 1, "a", ""), named("a"), false); err != nil {
		t.Error(err)
	}
	s = ledger.LaneState{Height: 1, Entry: named("a"), Attempt: 1, Floors: [2]int64{1, 0}}
	above := ballot(2, 1, "b", "a")
	if _, err := s.Vote(above, ident.CID{}, false); !errors.Is(err, ledger.ErrUndecided) {
		t.Error(err)
	}
	for _, row := range []struct {
		bound ident.CID
		final bool
	}{{ident.CID{}, true}, {named("b"), false}} {
		if _, err := s.Vote(above, row.bound, row.final); err != nil {
			t.Errorf("%+v: %v", row, err)
		}
	}
}

// The acks that were given are given again, also for what has got a later certificate.
func TestLaneAcksAgain(t *testing.T) {
	l := &laneSteps{t: t}
	l.certify(ballot(1, 0, "a", ""), nil)
	l.report(1, 3, nil)
	l.certify(ballot(1, 0, "a", ""), nil)
	l.certify(ballot(1, 3, "a", ""), nil)
	l.certify(ballot(1, 0, "a", ""), nil)
	if l.s.Attempt != 3 || !l.s.Decided() {
		t.Errorf("%+v", l.s)
	}
	l.certify(ballot(1, 2, "a", ""), ledger.ErrAttempt)
}

// Nothing changes at the height at which a charter starts, or below.
func TestLaneAtItsStart(t *testing.T) {
	l := &laneSteps{t: t, s: ledger.LaneState{Height: 3, Entry: named("c"), Prev: named("b"), Start: 3}}
	l.report(3, 5, ledger.ErrStale)
	l.vote(ballot(3, 5, "other", "b"), ledger.ErrStale)
	l.adopt(ballot(3, 5, "other", "b"), ledger.ErrStale)
	l.adopt(ballot(3, 5, "c", "b"), nil)
	if l.s.Attempt != 0 {
		t.Errorf("%+v", l.s)
	}
	l.vote(ballot(4, 0, "d", "c"), nil)
}

// The certificate with the highest attempt binds.
func TestBound(t *testing.T) {
	w := newWorld()
	report := func(i int, attempt int64, highest []byte) ledger.Report {
		r := w.report(i)
		r.Attempt, r.Highest = attempt, highest
		return must(ledger.VerifyReport(must(ledger.SignReport(w.vault.Members[i].Vote, r)), w.vault.Charter))
	}
	second, twin := w.vault.Certificate(w.second), w.vault.CertificateOf(w.twin(), 4, 0, 1, 2)
	if _, ok := ledger.Bound([]ledger.Report{report(0, 5, nil), report(1, 5, nil)}); ok {
		t.Error("bound to nothing")
	}
	got, ok := ledger.Bound([]ledger.Report{report(0, 5, second), report(1, 5, nil), report(2, 5, twin), report(3, 5, second)})
	if !ok || got != w.twin().Entry.CID() {
		t.Errorf("bound to %s", got)
	}
}
