package member_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// The normal path: propose, vote, certificate, ack; and what is told of it.
func TestNormalPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	first := lane.Snapshot("first", 3)
	cert := w.run(lane, first)
	second := lane.Snapshot("second", 2)
	if got := w.states(0, append(namesOf(first)[:1:1], namesOf(second)...)...); !reflect.DeepEqual(got, []ledger.State{2, 0, 0}) {
		t.Errorf("before the vote: %v", got)
	}
	if _, err := w.propose(0, second); err != nil {
		t.Fatal(err)
	}
	if got := w.states(0, append(namesOf(first)[:1:1], namesOf(second)...)...); !reflect.DeepEqual(got, []ledger.State{2, 1, 1}) {
		t.Errorf("after the vote: %v", got)
	}
	got := w.heads(0).Lane(lane.Key.Public())
	want := ledger.LaneHead{
		Lane: lane.Key.Public(), Height: 1, Entry: first.Entry.CID(), Lock: ledger.Lock{Height: 2, Entry: second.Entry.CID()},
	}
	if got != want {
		t.Errorf("head %+v, want %+v", got, want)
	}
	w.run(lane, second)
	for i := range w.stores {
		h := w.heads(i)
		if len(h.Lanes) != 2 || h.Lane(lane.Key.Public()) != (ledger.LaneHead{Lane: lane.Key.Public(), Height: 2, Entry: second.Entry.CID()}) {
			t.Errorf("member %d: %+v", i, h.Lanes)
		}
		if got := w.states(i, namesOf(second)...); !reflect.DeepEqual(got, []ledger.State{2, 2}) {
			t.Errorf("member %d: %v", i, got)
		}
	}
	body, err := w.stores[2].Body(w.id(), first.Entry.Body)
	if err != nil || !bytes.Equal(body, first.Body) {
		t.Errorf("body: %v", err)
	}
	l, err := w.stores[2].Link(w.id(), first.Entry.CID())
	if err != nil || !bytes.Equal(l.Cert, cert) || !bytes.Equal(l.Body, first.Body) {
		t.Errorf("link: %v", err)
	}
	if _, _, err := l.Verify(w.vault.Charter); err != nil {
		t.Error(err)
	}
	links, err := w.stores[1].Links(w.id(), lane.Key.Public(), 1, 10)
	if err != nil || len(links) != 2 {
		t.Fatalf("%d links, %v", len(links), err)
	}
	for i, p := range links {
		e, c, err := must(ledger.ParseLink(p)).Verify(w.vault.Charter)
		if err != nil || e.Height != int64(i+1) || c.Entry != e.CID() {
			t.Errorf("link %d: %v", i, err)
		}
	}
	in, err := w.stores[3].Introduced(w.id(), namesOf(second)[1])
	if err != nil || in.State != ledger.SegmentCertified || in.Number != 4 || in.Entry != second.Entry.CID() ||
		in.Lane != lane.Key.Public() || ident.SumDagCBOR(in.Descriptor) != namesOf(second)[1] {
		t.Errorf("introduced: %+v, %v", in, err)
	}
}

// Every message may come again, also after a restart, and gets the same answer.
func TestRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	s := lane.Snapshot("first", 2)
	vote := must(w.propose(0, s))
	for range 2 {
		again, err := w.propose(0, s)
		if err != nil || !reflect.DeepEqual(again, vote) {
			t.Fatal("another vote", err)
		}
		w.reopen(0)
	}
	cert := w.vault.Certificate(s)
	ack := must(w.stores[0].Certify(w.id(), cert))
	for range 2 {
		again, err := w.stores[0].Certify(w.id(), cert)
		if err != nil || !reflect.DeepEqual(again, ack) {
			t.Fatal("another ack", err)
		}
		if err := w.stores[0].Adopt(w.id(), w.vault.Link(s)); err != nil {
			t.Fatal(err)
		}
		if again := must(w.propose(0, s)); !reflect.DeepEqual(again, vote) {
			t.Fatal("another vote after the certificate")
		}
		w.reopen(0)
	}
	if h := w.heads(0).Lane(lane.Key.Public()); h.Height != 1 {
		t.Errorf("height %d", h.Height)
	}
	// The vote keeps the clock of its lock, whatever the time is now.
	w.stores[0].Close()
	cfg := config(w.dirs[0], w.vault, 0)
	cfg.Now = later(time.Hour)
	w.stores[0] = open(t, cfg)
	if again := must(w.propose(0, s)); !reflect.DeepEqual(again, vote) {
		t.Fatal("another vote an hour later")
	}
}

// A member votes for one entry at a place, and says which.
func TestLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one, two := lane.Snapshot("one", 1), lane.Snapshot("two", 1)
	vote := must(w.propose(0, one))
	for range 2 {
		_, err := w.propose(0, two)
		wantErr(t, err, member.ErrLocked)
		var state *member.StateError
		if !errors.As(err, &state) || state.Head.Lock != (ledger.Lock{Height: 1, Entry: one.Entry.CID()}) || state.Head.Height != 0 {
			t.Fatalf("%+v", state)
		}
		w.reopen(0)
	}
	if got := w.states(0, namesOf(two)...); got[0] != ledger.SegmentUnknown {
		t.Errorf("segment of an entry that was refused: %v", got)
	}
	// The others certify what this one has not voted for.
	if err := w.stores[0].Adopt(w.id(), w.vault.Link(two)); err != nil {
		t.Fatal(err)
	}
	if again := must(w.propose(0, one)); !reflect.DeepEqual(again, vote) {
		t.Error("the old vote has changed")
	}
	if got := w.states(0, namesOf(one)[0], namesOf(two)[0]); !reflect.DeepEqual(got, []ledger.State{1, 2}) {
		t.Errorf("after another entry was certified: %v", got)
	}
	if h := w.heads(0).Lane(lane.Key.Public()); h.Entry != two.Entry.CID() || h.Lock != (ledger.Lock{}) {
		t.Errorf("%+v", h)
	}
}

// What is refused because of where the lane stands says where it stands.
func TestStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	first := lane.Snapshot("first", 1)
	twin := lane.Snapshot("twin", 1)
	w.run(lane, first, 0, 1, 2)
	second := lane.Snapshot("second", 1)
	fork := lane.Draft(ledger.KindSnapshot, second.Body)
	fork.Prev = twin.Entry.CID()
	state := func(err, want error, height int64) {
		t.Helper()
		wantErr(t, err, want)
		var s *member.StateError
		if !errors.As(err, &s) || s.Head.Height != height || s.Head.Lane != lane.Key.Public() {
			t.Errorf("%v: %+v", err, s)
		}
	}
	_, err := w.propose(3, second)
	state(err, ledger.ErrBehind, 0)
	_, err = w.propose(0, twin)
	state(err, ledger.ErrStale, 1)
	_, err = w.propose(0, lane.Sign(fork, second.Body))
	state(err, ledger.ErrFork, 1)
	_, err = w.stores[3].Certify(w.id(), w.vault.Certificate(first))
	state(err, member.ErrUnknownEntry, 0)
	_, err = w.stores[3].Certify(w.id(), w.vault.Certificate(second))
	state(err, ledger.ErrBehind, 0)
	state(w.stores[3].Adopt(w.id(), w.vault.Link(second)), ledger.ErrBehind, 0)
	_, err = w.stores[0].Certify(w.id(), w.vault.Certificate(twin))
	state(err, ledger.ErrFork, 1)
	state(w.stores[0].Adopt(w.id(), w.vault.Link(twin)), ledger.ErrFork, 1)
}

// A member that was away takes the links in order, and then votes with the others.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop", 0, 1, 2)
	var last []byte
	for i := range 5 {
		last = w.run(lane, lane.Snapshot(string(rune('a'+i)), 2), 0, 1, 2)
	}
	away := w.stores[3]
	for _, l := range []ident.PublicKey{lane.Key.Public(), w.owner.Key.Public()} {
		from := w.heads(3).Lane(l).Height + 1
		for _, p := range must(w.stores[0].Links(w.id(), l, from, 100)) {
			link := must(ledger.ParseLink(p))
			e := must(ledger.VerifyEntry(link.Entry))
			wantErr(t, away.Adopt(w.id(), link), ledger.ErrInvalid) // without body
			link.Body = must(w.stores[0].Body(w.id(), e.Body))
			if err := away.Adopt(w.id(), link); err != nil {
				t.Fatal(err)
			}
		}
	}
	if ack, err := away.Certify(w.id(), last); err != nil {
		t.Fatal(err)
	} else if _, err := ledger.VerifyAck(ack, w.vault.Charter); err != nil {
		t.Fatal(err)
	}
	w.run(lane, lane.Snapshot("together", 1), 1, 2, 3)
	if !reflect.DeepEqual(w.heads(3).Lanes, w.heads(1).Lanes) {
		t.Errorf("%+v\n%+v", w.heads(3).Lanes, w.heads(1).Lanes)
	}
}

// Deltas are resolved by what is in the index, down to a full set, and there is an
// end to them.
func TestDeltas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	lane := w.device("laptop")
	snapshot := func(full bool) ledgertest.Step {
		c := lane.Commit("snapshot", 1)
		if !full {
			c.Refs = lane.Set.With(lane.Key.Public(), ident.CID{}, ledger.NewSpans(lane.Count)).Since(lane.Set)
		}
		return lane.Finish(c)
	}
	for i := range 1 + ledger.MaxDeltas {
		w.run(lane, snapshot(i == 0))
	}
	if lane.Set.Count() != lane.Count || lane.Set.Depth != ledger.MaxDeltas {
		t.Errorf("%d of %d, depth %d", lane.Set.Count(), lane.Count, lane.Set.Depth)
	}
	_, err := w.propose(0, snapshot(false))
	wantErr(t, err, ledger.ErrRefs)
	w.run(lane, snapshot(true))
}

// Devices come and go by entries of the owner's lane, the going for ever.
func TestDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	key := lane.Key.Public()
	if g, ok := w.stores[0].Grant(w.id(), key); !ok || g.Device != key || g.Rights != ledger.Append {
		t.Errorf("%+v, %v", g, ok)
	}
	if w.stores[0].Revoked(w.id(), key) {
		t.Error("revoked")
	}
	w.run(w.owner, w.owner.Enrol(w.vault.Grant(lane.Key, ledger.Full)))
	if g, _ := w.stores[0].Grant(w.id(), key); g.Rights != ledger.Full {
		t.Errorf("the newest grant is not known: %+v", g)
	}
	w.run(w.owner, w.owner.Revoke(key))
	w.reopen(0)
	if _, ok := w.stores[0].Grant(w.id(), key); ok || !w.stores[0].Revoked(w.id(), key) {
		t.Error("not revoked")
	}
	_, err := w.propose(0, lane.Snapshot("too late", 1))
	wantErr(t, err, ledger.ErrRevoked)
	_, err = w.propose(0, w.owner.Enrol(w.vault.Grant(lane.Key, ledger.Full)))
	wantErr(t, err, ledger.ErrRevoked)
	if _, ok := w.stores[0].Grant(w.id(), ledgertest.Key("nobody").Public()); ok {
		t.Error("nobody is enrolled")
	}
}

// Two lanes cannot both introduce a segment, not even by votes at the same time.
func TestSegmentsAreIntroducedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	a, b := w.device("a"), w.device("b")
	mine := a.Snapshot("shared", 1)
	thief := func() ledgertest.Step {
		c := b.Commit("shared", 1)
		c.Body.Segments = must(ledger.ParseSnapshotBody(mine.Body)).Segments
		c.Promise(b)
		return b.Finish(c)
	}
	must(w.propose(0, mine))
	_, err := w.propose(0, thief())
	wantErr(t, err, ledger.ErrIntroduced)
	must(w.propose(1, thief()))
	_, err = w.propose(1, mine)
	wantErr(t, err, ledger.ErrIntroduced)
	// A lock that has lost its place holds nothing up: that is sure when an entry above
	// is certified.
	other := b.Snapshot("other", 1)
	if err := w.stores[1].Adopt(w.id(), w.vault.LinkOf(other, 0, 0, 2, 3)); err != nil {
		t.Fatal(err)
	}
	_, err = w.propose(1, mine)
	wantErr(t, err, ledger.ErrIntroduced)
	b.Advance(other)
	above := b.Snapshot("above", 1)
	if err := w.stores[1].Adopt(w.id(), w.vault.LinkOf(above, 0, 0, 2, 3)); err != nil {
		t.Fatal(err)
	}
	must(w.propose(1, mine))
	for _, i := range []int{0, 1} {
		must(w.stores[i].Certify(w.id(), w.vault.Certificate(mine)))
		b.Head, b.Height = ident.CID{}, 0
		if i == 1 {
			b.Advance(other)
			b.Advance(above)
		}
		_, err = w.propose(i, thief())
		wantErr(t, err, ledger.ErrIntroduced)
		if in := must(w.stores[i].Introduced(w.id(), namesOf(mine)[0])); in.Entry != mine.Entry.CID() {
			t.Errorf("member %d: introduced by %s", i, in.Entry)
		}
	}
}
