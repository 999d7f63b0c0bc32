package member_test

import (
	"errors"
	"reflect"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// reports asks members for their reports at a step's place and an attempt.
func (w *world) reports(l *ledgertest.Lane, s ledgertest.Step, attempt int64, members ...int) []ident.Signed {
	w.t.Helper()
	var out []ident.Signed
	for _, i := range members {
		r, err := w.stores[i].Report(w.id(), l.Ask(s, attempt))
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// again proposes a step at a later attempt, and certifies it with these members. They
// must be a quorum.
func (w *world) again(l *ledgertest.Lane, s ledgertest.Step, attempt int64, reports []ident.Signed, members ...int) []byte {
	w.t.Helper()
	proposal := l.Again(s, attempt, reports...)
	var votes []ident.Signed
	for _, i := range members {
		vote, err := w.stores[i].Propose(w.id(), proposal, s.Signed, s.Body)
		if err != nil {
			w.t.Fatal(i, err)
		}
		votes = append(votes, vote)
	}
	return must(ledger.NewCertificate(votes, w.vault.Charter))
}

// certify hands a certificate to members, and returns their acks.
func (w *world) certify(cert []byte, members ...int) []ident.Signed {
	w.t.Helper()
	var acks []ident.Signed
	for _, i := range members {
		ack, err := w.stores[i].Certify(w.id(), cert)
		if err != nil {
			w.t.Fatal(i, err)
		}
		acks = append(acks, ack)
	}
	return acks
}

func wantFloor(t *testing.T, err error, floor int64) {
	t.Helper()
	wantErr(t, err, ledger.ErrAttempt)
	var s *member.StateError
	if !errors.As(err, &s) || s.Head.Floor != floor {
		t.Errorf("floor %+v, want %d", s, floor)
	}
}

// Votes that are split between two entries are no end: the next attempt decides, and
// what is below it is refused for ever.
func TestSplitVotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one, two := lane.Snapshot("one", 1), lane.Snapshot("two", 1)
	for i, s := range []ledgertest.Step{one, one, two, two} {
		must(w.propose(i, s))
	}
	reports := w.reports(lane, two, 1, 0, 2, 3)
	for _, r := range reports {
		if c, ok := must(ledger.VerifyReport(r, w.vault.Charter)).Certificate(); ok {
			t.Errorf("certificate of %s", c.Entry)
		}
	}
	w.reopen(0)
	_, err := w.propose(0, one)
	wantFloor(t, err, 1)
	_, err = w.stores[0].Certify(w.id(), w.vault.CertificateOf(one, 0, 0, 1, 2))
	wantFloor(t, err, 1)
	if got := w.heads(0).Lane(lane.Key.Public()); got.Floor != 1 || got.Lock.Entry != one.Entry.CID() {
		t.Errorf("%+v", got)
	}
	cert := w.again(lane, two, 1, reports, 0, 1, 2)
	acks := w.certify(cert, 0, 1, 2)
	lane.Advance(two)
	three := lane.Snapshot("three", 1)
	_, err = w.propose(0, three)
	wantErr(t, err, ledger.ErrUndecided)
	three.Proposal = lane.Above(three, acks[:2]...)
	_, err = w.propose(0, three)
	wantErr(t, err, ledger.ErrNoQuorum)
	three.Proposal = lane.Above(three, acks...)
	w.run(lane, three, 0, 1, 2)
	for i := range 2 {
		wantErr(t, second(w.stores[i].Body(w.id(), one.Entry.Body)), member.ErrUnknownEntry)
		wantErr(t, second(w.stores[i].Entry(w.id(), one.Entry.CID())), member.ErrUnknownEntry)
	}
	// What came at attempt 0 needs no acks again.
	w.run(lane, lane.Snapshot("four", 1), 0, 1, 2)
	if got := w.states(0, append(namesOf(one), namesOf(two)...)...); !reflect.DeepEqual(got, []ledger.State{0, 2}) {
		t.Errorf("states %v", got)
	}
}

// A certificate that one member reports binds the writer to its entry.
func TestReportsBind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one, two := lane.Snapshot("one", 1), lane.Snapshot("two", 1)
	for i := range 3 {
		must(w.propose(i, one))
	}
	w.certify(w.vault.CertificateOf(one, 0, 0, 1, 2), 1)
	reports := w.reports(lane, one, 3, 1, 2, 3)
	_, err := w.stores[2].Propose(w.id(), lane.Again(two, 3, reports...), two.Signed, two.Body)
	wantErr(t, err, ledger.ErrMismatch)
	_, err = w.stores[2].Propose(w.id(), lane.Again(two, 3, reports[1:]...), two.Signed, two.Body)
	wantErr(t, err, ledger.ErrNoQuorum)
	_, err = w.stores[2].Propose(w.id(), lane.Again(two, 4, reports...), two.Signed, two.Body)
	wantErr(t, err, ledger.ErrMismatch)
	cert := w.again(lane, one, 3, reports, 1, 2, 3)
	w.certify(cert, 1, 2, 3)
	// Member 0 has voted at attempt 0 only: it certifies what the others have decided.
	w.certify(cert, 0)
	for i := range w.stores {
		if h := w.heads(i).Lane(lane.Key.Public()); h.Entry != one.Entry.CID() || h.Height != 1 {
			t.Errorf("member %d: %+v", i, h)
		}
	}
	// The certificate with the highest attempt is what is kept and served.
	l := must(w.stores[1].Link(w.id(), one.Entry.CID()))
	if _, c, err := l.Verify(w.vault.Charter); err != nil || c.Attempt != 3 {
		t.Errorf("attempt %d, %v", c.Attempt, err)
	}
}

// A certificate that was hidden from the reports loses its place to a later one, and
// with it all of its effects.
func TestReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one, two := lane.Snapshot("one", 2), lane.Snapshot("two", 1)
	w.certify(w.voted(one, 0, 1, 2), 0)
	reports := w.reports(lane, two, 1, 1, 2, 3)
	cert := w.again(lane, two, 1, reports, 1, 2, 3)
	acks := w.certify(cert, 1, 2, 3)
	lane.Advance(two)

	_, err := w.stores[0].Certify(w.id(), cert)
	wantErr(t, err, member.ErrUnknownEntry)
	link := ledger.Link{V: 1, Entry: two.Signed, Cert: cert, Body: two.Body}
	if err := w.stores[0].Adopt(w.id(), link); err != nil {
		t.Fatal(err)
	}
	w.certify(cert, 0)
	w.reopen(0)
	if !reflect.DeepEqual(w.heads(0).Lanes, w.heads(1).Lanes) {
		t.Errorf("%+v\n%+v", w.heads(0).Lanes, w.heads(1).Lanes)
	}
	if got := w.states(0, append(namesOf(one), namesOf(two)...)...); !reflect.DeepEqual(got, []ledger.State{1, 1, 2}) {
		t.Errorf("states %v", got)
	}
	// The old certificate, and another member that has it, change nothing any more.
	old := w.vault.CertificateOf(one, 0, 0, 1, 2)
	_, err = w.stores[0].Certify(w.id(), old)
	wantErr(t, err, ledger.ErrStale)
	wantErr(t, w.stores[0].Adopt(w.id(), w.vault.LinkOf(one, 0, 0, 1, 2)), ledger.ErrStale)
	three := lane.Snapshot("three", 1)
	three.Proposal = lane.Above(three, acks...)
	w.run(lane, three)
	in := must(w.stores[0].Introduced(w.id(), namesOf(two)[0]))
	if in.Number != 0 || in.Entry != two.Entry.CID() {
		t.Errorf("introduced %+v", in)
	}
}

// voted is the certificate of a step for which these members have voted.
func (w *world) voted(s ledgertest.Step, members ...int) []byte {
	w.t.Helper()
	var votes []ident.Signed
	for _, i := range members {
		vote, err := w.propose(i, s)
		if err != nil {
			w.t.Fatal(i, err)
		}
		votes = append(votes, vote)
	}
	return must(ledger.NewCertificate(votes, w.vault.Charter))
}

// Grants and revocations of the owner's lane are taken back as well: the lane is read
// again.
func TestReplacedInTheOwnersLane(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		void func(*world, *ledgertest.Lane) ledgertest.Step
		ok   func(*world, *ledgertest.Lane) bool
	}{
		"a new grant": {
			func(w *world, l *ledgertest.Lane) ledgertest.Step {
				return w.owner.Enrol(w.vault.Grant(l.Key, ledger.Full))
			},
			func(w *world, l *ledgertest.Lane) bool {
				g, ok := w.stores[0].Grant(w.id(), l.Key.Public())
				return ok && g.Rights == ledger.Append
			},
		},
		"a first grant": {
			func(w *world, _ *ledgertest.Lane) ledgertest.Step {
				return w.owner.Enrol(w.vault.Grant(ledgertest.Key("new"), ledger.Full))
			},
			func(w *world, _ *ledgertest.Lane) bool {
				_, ok := w.stores[0].Grant(w.id(), ledgertest.Key("new").Public())
				return !ok
			},
		},
		"a revocation": {
			func(w *world, l *ledgertest.Lane) ledgertest.Step { return w.owner.Revoke(l.Key.Public()) },
			func(w *world, l *ledgertest.Lane) bool { return !w.stores[0].Revoked(w.id(), l.Key.Public()) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 4)
			lane := w.device("laptop")
			void, other := row.void(w, lane), w.owner.Enrol(w.vault.Grant(ledgertest.Key("other"), ledger.Read))
			w.certify(w.voted(void, 0, 1, 2), 0)
			if row.ok(w, lane) {
				t.Fatal("it has no effect")
			}
			cert := w.again(w.owner, other, 1, w.reports(w.owner, other, 1, 1, 2, 3), 1, 2, 3)
			if err := w.stores[0].Adopt(w.id(), ledger.Link{V: 1, Entry: other.Signed, Cert: cert, Body: other.Body}); err != nil {
				t.Fatal(err)
			}
			if !row.ok(w, lane) {
				t.Error("the effect has stayed")
			}
			if _, ok := w.stores[0].Grant(w.id(), ledgertest.Key("other").Public()); !ok {
				t.Error("the other has no effect")
			}
		})
	}
}

// What was adopted below a promise is kept and not acknowledged, and carries nothing
// unless acks prove it final, or another entry is certified above it.
func TestUndecidedHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Snapshot("one", 1)
	cert := w.voted(one, 0, 1, 2)
	acks := w.certify(cert, 0, 1, 2)
	w.reports(lane, one, 2, 3)
	if err := w.stores[3].Adopt(w.id(), ledger.Link{V: 1, Entry: one.Signed, Cert: cert, Body: one.Body}); err != nil {
		t.Fatal(err)
	}
	lane.Advance(one)
	_, err := w.stores[3].Certify(w.id(), cert)
	wantFloor(t, err, 2)
	two := lane.Snapshot("two", 1)
	for range 2 {
		_, err = w.propose(3, two)
		wantErr(t, err, ledger.ErrUndecided)
		w.reopen(3)
	}
	another := two
	another.Proposal = lane.Above(two, acks...)
	must(w.propose(3, another))
	above := w.voted(two, 0, 1, 2)
	w.certify(above, 0, 1, 2, 3)
	lane.Advance(two)
	w.run(lane, lane.Snapshot("three", 1), 1, 2, 3)
	// Acks of another entry, or lane, prove nothing.
	four := lane.Snapshot("four", 1)
	four.Proposal = lane.Above(four, acks...)
	_, err = w.propose(0, four)
	wantErr(t, err, ledger.ErrMismatch)
}

// A member that was sure of its head acknowledges it again, whatever it has promised
// since: a writer that has lost its acks gets them back.
func TestAckIsGivenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Snapshot("one", 1)
	cert := w.voted(one, 0, 1, 2)
	acks := w.certify(cert, 0, 1, 2)
	w.reports(lane, one, 5, 0)
	w.reopen(0)
	if again := w.certify(cert, 0); !reflect.DeepEqual(again[0], acks[0]) {
		t.Error("another ack")
	}
	lane.Advance(one)
	two := lane.Snapshot("two", 1)
	must(w.propose(0, two))
}

// Two proposals for one place are kept, and name the lane.
func TestEquivocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one, two, three := lane.Snapshot("one", 1), lane.Snapshot("two", 1), lane.Snapshot("three", 1)
	must(w.propose(0, one))
	for _, s := range []ledgertest.Step{two, three, two} {
		_, err := w.propose(0, s)
		wantErr(t, err, member.ErrLocked)
		w.reopen(0)
	}
	all := must(w.stores[0].Evidence(w.id()))
	if len(all) != 1 {
		t.Fatalf("%d pieces of evidence", len(all))
	}
	a := must(must(ledger.ParseEvidence(all[0])).Verify(w.vault.Charter))
	want := map[ident.CID]bool{one.Entry.CID(): true, two.Entry.CID(): true}
	if a.Place != one.Propose().Place || !want[a.Entries[0]] || !want[a.Entries[1]] || len(a.Operators) != 0 {
		t.Errorf("%+v", a)
	}
	// The lane goes on, and no other is touched.
	w.run(lane, one)
	w.run(w.owner, w.owner.Revoke(lane.Key.Public()))
}

// Two certificates for one place are kept, and name who signed both.
func TestForkEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one, two := lane.Snapshot("one", 1), lane.Snapshot("two", 1)
	w.certify(w.voted(one, 0, 1, 2), 0)
	_, err := w.stores[0].Certify(w.id(), w.vault.CertificateOf(two, 0, 1, 2, 3))
	wantErr(t, err, ledger.ErrFork)
	wantErr(t, w.stores[0].Adopt(w.id(), w.vault.LinkOf(two, 0, 1, 2, 3)), ledger.ErrFork)
	all := must(w.stores[0].Evidence(w.id()))
	if len(all) != 1 {
		t.Fatalf("%d pieces of evidence", len(all))
	}
	a := must(must(ledger.ParseEvidence(all[0])).Verify(w.vault.Charter))
	want := []ident.PublicKey{w.vault.Members[1].Operator.Public(), w.vault.Members[2].Operator.Public()}
	if !reflect.DeepEqual(a.Operators, want) || a.Place != one.Propose().Place {
		t.Errorf("%+v", a)
	}
	if h := w.heads(0).Lane(lane.Key.Public()); h.Entry != one.Entry.CID() {
		t.Errorf("%+v", h)
	}
}

// A member that sees its own vote and does not know it has lost its store: it signs
// nothing more, and keeps and serves what it has.
func TestForgetsNothingInSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Snapshot("one", 1)
	if err := w.stores[0].Adopt(w.id(), w.vault.LinkOf(one, 0, 0, 1, 2)); err != nil {
		t.Fatal(err)
	}
	lane.Advance(one)
	for range 2 {
		_, err := w.propose(0, lane.Snapshot("two", 1))
		wantErr(t, err, member.ErrForgotten)
		wantErr(t, second(w.stores[0].Heads(w.id(), [16]byte{})), member.ErrForgotten)
		wantErr(t, second(w.stores[0].Report(w.id(), lane.Ask(one, 1))), member.ErrForgotten)
		if _, err := w.stores[0].Body(w.id(), one.Entry.Body); err != nil {
			t.Error(err)
		}
		w.reopen(0)
	}
	// A certificate far above shows it too, and one that was never voted for.
	lane.Advance(lane.Snapshot("two", 1))
	far := lane.Snapshot("far", 1)
	wantErr(t, second(w.stores[1].Certify(w.id(), w.vault.CertificateOf(far, 0, 1, 2, 3))), member.ErrForgotten)
	wantErr(t, w.stores[2].Adopt(w.id(), w.vault.LinkOf(far, 0, 1, 2, 3)), ledger.ErrBehind)
	wantErr(t, second(w.stores[2].Heads(w.id(), [16]byte{})), member.ErrForgotten)
}

// Whom a report is refused.
func TestReportRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Snapshot("one", 1)
	s := w.stores[0]
	must(s.Report(w.id(), lane.Ask(one, 2)))
	must(s.Report(w.id(), lane.Ask(one, 2)))
	_, err := s.Report(w.id(), lane.Ask(one, 1))
	wantFloor(t, err, 2)
	stranger := w.vault.Lane(ledgertest.Key("stranger"))
	_, err = s.Report(w.id(), stranger.Ask(stranger.Snapshot("x", 1), 1))
	wantErr(t, err, ledger.ErrForbidden)
	forged := lane.Ask(one, 7)
	forged.Signature[0] ^= 1
	_, err = s.Report(w.id(), forged)
	wantErr(t, err, ident.ErrSignature)
	elsewhere := ledgertest.NewVault("elsewhere", 4).Lane(lane.Key)
	_, err = s.Report(w.id(), elsewhere.Ask(elsewhere.Snapshot("x", 1), 1))
	wantErr(t, err, ledger.ErrCharter)
	lane.Advance(one)
	_, err = s.Report(w.id(), lane.Ask(lane.Snapshot("two", 1), 1))
	wantErr(t, err, ledger.ErrBehind)
	if h := w.heads(0).Lane(stranger.Key.Public()); h.Floor != 0 {
		t.Error("a stranger has a floor")
	}
}
