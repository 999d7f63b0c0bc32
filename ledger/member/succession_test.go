package member_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// fresh asks a member for a vote key and returns how it will stand in the next charter.
func (w *world) fresh(i int) ledger.Member {
	w.t.Helper()
	nonce := [16]byte{byte(i), byte(w.vault.Charter.Number), 5}
	cert := must(ledger.VerifyNodeCertificate(w.vault.Members[i].Certificate))
	k, err := ledger.VerifyMemberKey(must(w.stores[i].Key(w.id(), nonce)), cert, w.id(), nonce)
	if err != nil {
		w.t.Fatal(err)
	}
	m, _ := w.vault.Charter.Member(cert.Operator)
	m.Vote = k.Vote
	return m
}

// renewal is a successor in which some members have other vote keys.
func (w *world) renewal(members ...int) ident.Signed {
	return w.vault.Next(func(c *ledger.Charter) {
		for _, i := range members {
			c.Members[i] = w.fresh(i)
		}
	})
}

func (w *world) freeze(i int, next ident.Signed) ident.Signed {
	w.t.Helper()
	s, err := w.stores[i].Freeze(w.id(), next)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// candidate freezes members, of whom a quorum is needed, and makes the entry of a
// successor.
func (w *world) candidate(next ident.Signed, waited bool, members ...int) ledgertest.Step {
	w.t.Helper()
	b := ledger.CharterBody{Charter: next, Waited: waited}
	for _, i := range members[:w.vault.Charter.Quorum()] {
		b.Freezes = append(b.Freezes, w.freeze(i, next))
	}
	return w.owner.Succession(b)
}

// votes has members vote for a step, and returns the certificate that nobody has seen.
func (w *world) votes(s ledgertest.Step, members ...int) []byte {
	w.t.Helper()
	var votes []ident.Signed
	for _, i := range members {
		vote, err := w.propose(i, s)
		if err != nil {
			w.t.Fatal(err)
		}
		votes = append(votes, vote)
	}
	return must(ledger.NewCertificate(votes, w.vault.Charter))
}

// certified has members vote for a step and acknowledge it, and returns its link with
// the acks.
func (w *world) certified(s ledgertest.Step, members ...int) ledger.Link {
	w.t.Helper()
	l := ledger.Link{V: 1, Entry: s.Signed, Body: s.Body, Cert: w.votes(s, members...)}
	for _, i := range members {
		ack, err := w.stores[i].Certify(w.id(), l.Cert)
		if err != nil {
			w.t.Fatal(err)
		}
		l.Acks = append(l.Acks, ack)
	}
	return l
}

// succeed brings a successor into force with the votes of some members, and hands it to
// others.
func (w *world) succeed(next ident.Signed, waited bool, members ...int) ledger.Link {
	w.t.Helper()
	s := w.candidate(next, waited, members...)
	l := w.certified(s, members...)
	for _, i := range members {
		w.adopt(i, l)
	}
	w.owner.Advance(s)
	w.vault.Charter = must(ledger.VerifyNextCharter(next, w.vault.Charter))
	return l
}

func (w *world) adopt(i int, l ledger.Link) {
	w.t.Helper()
	if err := w.stores[i].Adopt(w.id(), l); err != nil {
		w.t.Fatalf("member %d: %v", i, err)
	}
	w.agrees()
}

func TestSuccession(t *testing.T) {
	w := newWorld(t, 4)
	lane := w.device("device")
	w.run(lane, lane.Snapshot("before", 2))
	link := w.succeed(w.renewal(0, 1, 2, 3), false, 0, 1, 2, 3)
	w.run(lane, lane.Snapshot("after", 1))
	w.device("another")
	for i := range w.stores {
		if i == 1 {
			w.reopen(i)
		}
		if got := must(w.stores[i].Charters(w.id())); len(got) != 2 || got[1].CID() != w.vault.Charter.CID() {
			t.Errorf("member %d has %d charters", i, len(got))
		}
		if h := w.heads(i); h.Charter != w.vault.Charter.CID() || h.Lane(lane.Key.Public()).Height != 2 || h.Lane(w.owner.Key.Public()).Height != 3 {
			t.Errorf("member %d answers %+v", i, h)
		}
		links := must(w.stores[i].Successions(w.id(), 2))
		if len(links) != 1 || string(links[0]) != string(must(link.Encode())) {
			t.Errorf("member %d has %d successions", i, len(links))
		}
		lane := must(w.stores[i].Links(w.id(), w.owner.Key.Public(), 1, 10))
		if l := must(ledger.ParseLink(lane[1])); len(lane) != 3 || len(l.Acks) != 4 || l.Body != nil {
			t.Errorf("member %d serves the lane without what brings the charter into force", i)
		}
		if more := must(w.stores[i].Successions(w.id(), 3)); len(more) != 0 {
			t.Errorf("member %d has %d more", i, len(more))
		}
	}
}

// What a member says once it has frozen it says after a crash too.
func TestFrozen(t *testing.T) {
	w := newWorld(t, 4)
	lane := w.device("device")
	w.run(lane, lane.Snapshot("before", 1))
	other := w.device("other")
	snapshot := lane.Snapshot("late", 1)
	cert := w.votes(snapshot, 0, 1, 2, 3)
	enrol := w.owner.Enrol(w.vault.Grant(ledgertest.Key("late"), ledger.Read))
	next := w.renewal(0, 1, 2, 3)
	for i := range w.stores {
		w.freeze(i, next)
	}
	w.reopen(2)
	for i, s := range w.stores {
		for what, step := range map[string]ledgertest.Step{"a snapshot": other.Snapshot("late", 1), "an enrolment": enrol} {
			if _, err := w.propose(i, step); !errors.Is(err, ledger.ErrFrozen) {
				t.Errorf("member %d votes for %s: %v", i, what, err)
			}
		}
		if _, err := s.Certify(w.id(), cert); !errors.Is(err, ledger.ErrFrozen) {
			t.Errorf("member %d acknowledges a snapshot: %v", i, err)
		}
		if err := s.Adopt(w.id(), ledger.Link{V: 1, Entry: snapshot.Signed, Body: snapshot.Body, Cert: cert}); err != nil {
			t.Errorf("member %d does not adopt: %v", i, err)
		}
		f := must(ledger.VerifyFreeze(w.freeze(i, next), w.vault.Charter))
		if !slices.Contains(f.Lanes, ledger.LaneStart{Lane: lane.Key.Public(), Height: 2, Entry: snapshot.Entry.CID()}) {
			t.Errorf("member %d is frozen at %v", i, f.Lanes)
		}
	}
}

// An enrolment that was certified before the freeze and never final is finished after
// it: the charter goes on top.
func TestFrozenOwnerLaneIsFinished(t *testing.T) {
	w := newWorld(t, 4)
	late := w.owner.Enrol(w.vault.Grant(ledgertest.Key("late"), ledger.Read))
	cert := w.votes(late, 0, 1, 2)
	must(w.stores[0].Certify(w.id(), cert))
	next := w.renewal(0, 1, 2)
	for i := range 3 {
		w.freeze(i, next)
	}
	for i := 1; i < 3; i++ {
		if _, err := w.stores[i].Certify(w.id(), cert); err != nil {
			t.Errorf("member %d does not acknowledge: %v", i, err)
		}
	}
	w.owner.Advance(late)
	w.succeed(next, false, 0, 1, 2)
}

// A charter that a quorum has certified and not brought into force yet lets nothing
// follow but itself.
func TestNothingFollowsACharter(t *testing.T) {
	w := newWorld(t, 4)
	s := w.candidate(w.renewal(0), false, 0, 1, 2)
	l := w.certified(s, 0, 1, 2)
	w.owner.Advance(s)
	second := w.owner.Succession(ledger.CharterBody{Charter: w.renewal(1), Freezes: must(ledger.ParseCharterBody(s.Body)).Freezes})
	if _, err := w.propose(0, second); !errors.Is(err, ledger.ErrFrozen) {
		t.Errorf("another charter above it: %v", err)
	}
	w.adopt(3, l)
	if c, err := w.stores[3].Charter(w.id()); err != nil || c.Number != 2 {
		t.Errorf("charter %d, %v", c.Number, err)
	}
}

// A snapshot that was certified when a charter began below it is void: its segments are
// known to nobody, and another entry stands at its height.
func TestEntriesAboveTheStartAreVoid(t *testing.T) {
	w := newWorld(t, 4)
	lane := w.device("device")
	w.run(lane, lane.Snapshot("before", 2))
	lost := lane.Snapshot("lost", 1)
	link := ledger.Link{V: 1, Entry: lost.Signed, Body: lost.Body, Cert: w.votes(lost, 0, 1, 2)}
	w.adopt(3, link)
	if states := w.states(3, namesOf(lost)...); states[0] != ledger.SegmentCertified {
		t.Fatalf("state %v", states)
	}
	final := w.succeed(w.renewal(0, 1, 2, 3), false, 0, 1, 2)
	w.adopt(3, final)
	for i := range w.stores {
		if states := w.states(i, namesOf(lost)...); states[0] != ledger.SegmentUnknown {
			t.Errorf("member %d: state %v of a void entry's segment", i, states)
		}
		if err := w.stores[i].Adopt(w.id(), link); !errors.Is(err, ledger.ErrVoid) {
			t.Errorf("member %d adopts a void entry: %v", i, err)
		}
		if h := w.heads(i).Lane(lane.Key.Public()); h.Height != 1 || h.Lock != (ledger.Lock{}) {
			t.Errorf("member %d: head %+v", i, h)
		}
	}
	w.reopen(3)
	w.run(lane, lane.Snapshot("again", 1))
}

// A grant that a void entry has given is taken back with it.
func TestVoidEnrolmentIsTakenBack(t *testing.T) {
	w := newWorld(t, 4)
	device := ledgertest.Key("void")
	enrol := w.owner.Enrol(w.vault.Grant(device, ledger.Append))
	w.adopt(3, ledger.Link{V: 1, Entry: enrol.Signed, Body: enrol.Body, Cert: w.votes(enrol, 0, 1, 2)})
	if _, ok := w.stores[3].Grant(w.id(), device.Public()); !ok {
		t.Fatal("the device is not enrolled")
	}
	next := w.renewal(0, 1, 2, 3)
	s := w.candidate(next, false, 0, 1, 2)
	again := w.atAttempt(w.vault.Owner, s, 1, 0, 1, 2)
	final := w.certified(again, 0, 1, 2)
	w.adopt(3, final)
	if _, ok := w.stores[3].Grant(w.id(), device.Public()); ok {
		t.Error("the device of a void entry is enrolled")
	}
	if c, err := w.stores[3].Charter(w.id()); err != nil || c.Number != 2 {
		t.Errorf("charter %d, %v", c.Number, err)
	}
}

// atAttempt proposes a step again, with the reports of members.
func (w *world) atAttempt(lane ident.PrivateKey, s ledgertest.Step, attempt int64, members ...int) ledgertest.Step {
	w.t.Helper()
	p := s.Propose()
	p.Attempt = attempt
	asked := must(ledger.SignAttempt(lane, ledger.Attempt{Place: p.Place}))
	for _, i := range members {
		r, err := w.stores[i].Report(w.id(), asked)
		if err != nil {
			w.t.Fatal(err)
		}
		p.Reports = append(p.Reports, r)
	}
	s.Proposal = must(ledger.SignProposal(lane, p))
	return s
}

// A member that was away during a succession, and while the vault went on, catches up
// and arrives at the same state. Until then it signs nothing.
func TestMemberThatWasAway(t *testing.T) {
	w := newWorld(t, 4)
	lane := w.device("device")
	early := lane.Snapshot("early", 1)
	w.run(lane, early, 0, 1, 2)
	final := w.succeed(w.renewal(0, 1, 2, 3), false, 0, 1, 2)
	late := lane.Snapshot("late", 1)
	w.run(lane, late, 0, 1, 2)

	w.adopt(3, final)
	if _, err := w.stores[3].Heads(w.id(), [16]byte{}); !errors.Is(err, ledger.ErrBehind) {
		t.Errorf("it signs heads without having what came before: %v", err)
	}
	if _, err := w.propose(3, late); !errors.Is(err, ledger.ErrBehind) {
		t.Errorf("it votes without having what came before: %v", err)
	}
	for _, s := range []ledgertest.Step{early, late} {
		l := must(w.stores[0].Link(w.id(), s.Entry.CID()))
		w.adopt(3, l)
	}
	if a, b := w.heads(0), w.heads(3); a.Charter != b.Charter || !slices.Equal(a.Lanes, b.Lanes) {
		t.Errorf("heads %+v, not %+v", b.Lanes, a.Lanes)
	}
	w.run(lane, lane.Snapshot("together", 1))
}

// A node that a charter makes a member keeps the vault before it is one, on the word of
// its pending key, and signs when it has everything from before.
func TestNewMember(t *testing.T) {
	w := newWorld(t, 4)
	lane := w.device("device")
	snapshot := lane.Snapshot("before", 1)
	w.run(lane, snapshot)

	newcomer := ledgertest.NewMember("newcomer")
	cfg := member.Config{Dir: t.TempDir(), Operator: newcomer.Operator.Public(), Node: newcomer.Node.Public(), Vote: newcomer.Vote, Now: ledgertest.Start}
	store := open(t, cfg)
	if _, err := store.Accept(w.vault.Signed); !errors.Is(err, ledger.ErrNotMember) {
		t.Fatalf("it keeps a vault that nobody wants it for: %v", err)
	}
	nonce := [16]byte{9}
	k := must(ledger.VerifyMemberKey(must(store.Key(w.id(), nonce)), must(ledger.VerifyNodeCertificate(newcomer.Certificate)), w.id(), nonce))
	must(store.Accept(w.vault.Signed))

	next := w.vault.Next(func(c *ledger.Charter) {
		listed := newcomer.Listed()
		listed.Vote = k.Vote
		c.Members[3] = listed
		slices.SortFunc(c.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
	})
	final := w.succeed(next, false, 0, 1, 2)
	for _, id := range []ident.CID{w.owner.Head, snapshot.Entry.CID()} {
		if _, err := store.Heads(w.id(), nonce); err == nil {
			t.Fatal("it signs before it is ready")
		}
		l := must(w.stores[0].Link(w.id(), id))
		if id == w.owner.Head {
			for _, e := range [][]byte{must(w.stores[0].Links(w.id(), w.owner.Key.Public(), 1, 1))[0]} {
				first := must(w.stores[0].Link(w.id(), must(ledger.ParseLink(e)).Entry.CID()))
				if err := store.Adopt(w.id(), first); err != nil {
					t.Fatal(err)
				}
			}
			l = final
		}
		if err := store.Adopt(w.id(), l); err != nil {
			t.Fatal(err)
		}
	}
	m, _ := w.vault.Charter.Member(newcomer.Operator.Public())
	h, err := ledger.VerifyHeads(must(store.Heads(w.id(), nonce)), w.vault.Charter, m, nonce)
	if err != nil || h.Lane(lane.Key.Public()).Height != 1 {
		t.Errorf("heads %+v, %v", h, err)
	}
	if _, err := w.stores[3].Heads(w.id(), nonce); err != nil {
		t.Errorf("the member that is replaced has not heard of it, and says: %v", err)
	}
	w.adopt(3, final)
	if _, err := w.stores[3].Heads(w.id(), nonce); !errors.Is(err, ledger.ErrNotMember) {
		t.Errorf("the member that is replaced signs: %v", err)
	}
	if _, err := w.stores[3].Link(w.id(), snapshot.Entry.CID()); err != nil {
		t.Errorf("it does not serve what it has: %v", err)
	}
}

// A member whose vote store was lost signs nothing, until a charter names another key
// of it.
func TestRejoinWithAnotherKey(t *testing.T) {
	w := newWorld(t, 4)
	lane := w.device("device")
	w.run(lane, lane.Snapshot("before", 1))
	w.loseVotes(2)
	if _, err := w.stores[2].Heads(w.id(), [16]byte{}); !errors.Is(err, member.ErrForgotten) {
		t.Fatalf("it signs with a key whose votes are lost: %v", err)
	}
	final := w.succeed(w.renewal(2), false, 0, 1, 3)
	w.adopt(2, final)
	w.run(lane, lane.Snapshot("after", 1))

	// Lost again, with what the new charter stands for: the files bring it back, the
	// votes are gone.
	w.loseVotes(2)
	if c, err := w.stores[2].Charter(w.id()); err != nil || c.Number != 2 {
		t.Errorf("rebuilt with charter %d, %v", c.Number, err)
	}
	if _, err := w.stores[2].Heads(w.id(), [16]byte{}); !errors.Is(err, member.ErrForgotten) {
		t.Errorf("it signs with the second key whose votes are lost: %v", err)
	}
	w.adopt(2, w.succeed(w.renewal(2), false, 0, 1, 3))
	w.run(lane, lane.Snapshot("at last", 1))
}

// loseVotes takes a member's database away and rebuilds it from the files.
func (w *world) loseVotes(i int) {
	w.t.Helper()
	if err := w.stores[i].Close(); err != nil {
		w.t.Fatal(err)
	}
	cfg := config(w.dirs[i], w.vault, i)
	if r, err := member.Rebuild(cfg); err != nil || len(r.Skipped) > 0 {
		w.t.Fatal(r, err)
	}
	w.stores[i] = open(w.t, cfg)
}

// Two successors are voted for by two members each. Neither is certified; at the next
// attempt one of them is, and the other can never be.
func TestCompetingSuccessors(t *testing.T) {
	w := newWorld(t, 4)
	first := w.candidate(w.vault.Next(func(c *ledger.Charter) { c.Cooling++ }), false, 0, 1, 2)
	second := w.candidate(w.vault.Next(func(c *ledger.Charter) { c.Trash++ }), false, 1, 2, 3)
	for i := range 4 {
		s := first
		if i > 1 {
			s = second
		}
		must(w.propose(i, s))
	}
	for i := range 4 {
		s := second
		if i > 1 {
			s = first
		}
		if _, err := w.propose(i, s); !errors.Is(err, member.ErrLocked) {
			t.Errorf("member %d votes for both: %v", i, err)
		}
	}
	final := w.certified(w.atAttempt(w.vault.Owner, second, 1, 0, 1, 2), 0, 1, 2)
	for i := range 4 {
		w.adopt(i, final)
	}
	again := w.atAttemptUnheard(first, 2)
	for i := range 4 {
		if _, err := w.propose(i, again); !errors.Is(err, ledger.ErrCharter) {
			t.Errorf("member %d votes for a successor of a charter that has one: %v", i, err)
		}
	}
}

// atAttemptUnheard proposes a step at an attempt for which no member has given a report.
func (w *world) atAttemptUnheard(s ledgertest.Step, attempt int64) ledgertest.Step {
	p := s.Propose()
	p.Attempt = attempt
	for i := range 3 {
		m := w.vault.Members[i]
		p.Reports = append(p.Reports, must(ledger.SignReport(m.Vote, ledger.Report{Place: p.Place, Operator: m.Operator.Public()})))
	}
	s.Proposal = must(ledger.SignProposal(w.vault.Owner, p))
	return s
}

// A start that a member cannot prove holds its vote up until somebody has brought it the
// certificate.
func TestStartsHaveToBeProved(t *testing.T) {
	w := newWorld(t, 4)
	lane := w.device("device")
	ahead := lane.Snapshot("ahead", 1)
	w.run(lane, ahead, 0, 1, 2)
	s := w.candidate(w.renewal(0, 1, 2, 3), false, 0, 1, 2)
	if _, err := w.propose(3, s); !errors.Is(err, ledger.ErrBehind) {
		t.Errorf("it votes for a charter that starts where it has nothing: %v", err)
	}
	w.adopt(3, must(w.stores[0].Link(w.id(), ahead.Entry.CID())))
	w.certified(s, 0, 1, 2, 3)
}

// Keys of charters before are destroyed when a quorum is ready under the newest, and not
// before; the vote key of the node's certificate stays.
func TestKeysAreDestroyed(t *testing.T) {
	w := newWorld(t, 4)
	w.succeed(w.renewal(0, 1, 2, 3), false, 0, 1, 2, 3)
	old := w.vault.Charter
	w.succeed(w.renewal(0, 1, 2, 3), false, 0, 1, 2, 3)
	nonce := [16]byte{4}
	var answers []ident.Signed
	for i := range 2 {
		answers = append(answers, must(w.stores[i].Heads(w.id(), nonce)))
	}
	if err := w.stores[0].DropKeys(w.id(), nonce, answers); !errors.Is(err, ledger.ErrNoQuorum) {
		t.Errorf("two are enough: %v", err)
	}
	if n := w.keys(0); n != 2 {
		t.Errorf("%d keys are left", n)
	}
	answers = append(answers, answers[0])
	if err := w.stores[0].DropKeys(w.id(), nonce, answers); !errors.Is(err, ledger.ErrNoQuorum) {
		t.Errorf("one twice is two: %v", err)
	}
	answers = append(answers, must(w.stores[3].Heads(w.id(), nonce)))
	if err := w.stores[0].DropKeys(w.id(), [16]byte{5}, answers); !errors.Is(err, ledger.ErrNoQuorum) {
		t.Errorf("answers to another question: %v", err)
	}
	if err := w.stores[0].DropKeys(w.id(), nonce, answers); err != nil {
		t.Fatal(err)
	}
	if n := w.keys(0); n != 1 || old.Members[0].Vote == w.vault.Charter.Members[0].Vote {
		t.Errorf("%d keys are left", n)
	}
	w.reopen(0)
	w.device("after")
}

// One key waits for each nonce; what nobody uses is destroyed in time.
func TestPendingKeys(t *testing.T) {
	v := ledgertest.NewVault("keys", 1)
	cfg := config(t.TempDir(), v, 0)
	var after time.Duration
	cfg.Now = func() time.Time { return ledgertest.Start().Add(after) }
	s := open(t, cfg)
	cert := must(ledger.VerifyNodeCertificate(v.Members[0].Certificate))
	ask := func(vault ident.CID, nonce byte) (ident.PublicKey, error) {
		word, err := s.Key(vault, [16]byte{nonce})
		if err != nil {
			return ident.PublicKey{}, err
		}
		k, err := ledger.VerifyMemberKey(word, cert, vault, [16]byte{nonce})
		return k.Vote, err
	}
	one, other := must(ask(ident.CID{}, 1)), must(ask(ident.CID{}, 2))
	if one == other || must(ask(ident.CID{}, 1)) != one || must(ask(v.ID(), 1)) == one {
		t.Error("keys are not told apart by vault and nonce")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	if must(ask(ident.CID{}, 1)) != one {
		t.Error("a key does not survive")
	}
	kept := must(ask(v.ID(), 1))
	after = member.PendingKey + time.Second
	if must(ask(ident.CID{}, 1)) == one || must(ask(v.ID(), 1)) != kept {
		t.Error("a key for a vault that never came is kept, or one for a vault that exists is not")
	}
	for i := 0; ; i++ {
		if _, err := s.Key(v.ID(), [16]byte{byte(i), byte(i >> 8), 1}); errors.Is(err, member.ErrFull) {
			break
		} else if err != nil || i > member.MaxPendingKeys {
			t.Fatal(i, err)
		}
	}
}
