package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/node/audit"
	"holdfast/node/repair"
	"holdfast/p2p"
	"holdfast/p2p/placement"
	"holdfast/p2p/shardrpc"
)

// around is who is there, for a test.
type around struct {
	others []p2p.Node
	own    p2p.Node
	asked  int
}

func (a *around) nodes(context.Context) ([]p2p.Node, error) {
	a.asked++
	return a.others, nil
}
func (a *around) self() p2p.Node { return a.own }

// speaks is a member that answers for its ledger, if it has one.
type speaks struct {
	*bench
	node ident.PublicKey
}

func (s speaks) Heads(_ context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	for _, m := range s.vault.Members {
		if m.Node.Public() == s.node && !s.mute[s.node] {
			return ledger.SignHeads(m.Vote, ledger.Heads{Vault: vault, Charter: s.vault.Charter.CID(), Nonce: nonce, Operator: m.Operator.Public(), Clock: ledger.Millis(s.clock.now())})
		}
	}
	return ident.Signed{}, errSilent
}

// newSteward makes the steward of a bench's node, among the nodes of the vault's members.
func newSteward(t *testing.T) (*bench, *steward, *around) {
	b := newBench(t, 4)
	_, err := b.ledgers.Accept(t.Context(), b.vault.Signed)
	must(t, err)
	who := &around{}
	for i, m := range b.vault.Members {
		n := p2p.Node{Certificate: verified(t, m.Certificate), Signed: m.Certificate, Space: 1 << 30}
		if i == 0 {
			who.own = n
		} else {
			who.others = append(who.others, n)
		}
	}
	w := (&steward{
		keys: b.node.keys, volume: b.volume, shelf: b.shelf, ledgers: b.ledgers, around: who,
		witness: func(node ident.PublicKey) headed { return speaks{b, node} },
		rules:   repairRules{after: 24 * time.Hour, turn: 10 * time.Minute}, stamp: b.shelf.stamp, log: b.node.log,
	}).start()
	return b, w, who
}

// commit has the node learn of an entry of so many segments, whose shards the members
// hold, one each.
func (b *bench) commit(segments int) []ident.CID {
	b.t.Helper()
	device := ledgertest.Key("device")
	owner, lane := b.vault.OwnerLane(), b.vault.Lane(device)
	adopt := func(l *ledgertest.Lane, step ledgertest.Step) {
		link, err := b.vault.Link(step).Encode()
		must(b.t, err)
		must(b.t, b.ledgers.Adopt(b.t.Context(), b.vault.ID(), link, step.Body))
		l.Advance(step)
	}
	adopt(owner, owner.Enrol(b.vault.Grant(device, ledger.Full)))
	step := lane.Snapshot("one", segments)
	adopt(lane, step)
	return step.Segments()
}

// shardOf finds the shard of a segment that a node holds.
func shardOf(t *testing.T, m *custody.Map, segment ident.CID, node ident.PublicKey) custody.Shard {
	t.Helper()
	s, known := m.Find(segment)
	for i, h := range s.Held {
		if known && h != custody.Nowhere && m.Holders()[h].Node == node {
			return custody.Shard{Segment: segment, Index: i}
		}
	}
	t.Fatalf("node %v holds nothing of segment %v", node, segment)
	return custody.Shard{}
}

// While nothing is damaged nobody is asked who is there, and nothing is to be done.
func TestASurveyOfWhatIsWhole(t *testing.T) {
	b, w, who := newSteward(t)
	b.commit(3)
	jobs, err := w.plan(t.Context())
	if err != nil || len(jobs) != 0 || who.asked != 0 {
		t.Errorf("%d jobs, %v; asked %d times", len(jobs), err, who.asked)
	}
	if s := w.status(); s.Queue != 0 || s.Oldest != 0 {
		t.Errorf("status %+v", s)
	}
}

// A node whose clock is unusable is given nothing: its receipts would not count, and the
// same node would be chosen again and again.
func TestASurveyAvoidsWrongClocks(t *testing.T) {
	b, w, who := newSteward(t)
	segments := b.commit(40)
	lost := b.vault.Members[2].Node.Public()
	m, err := b.parts().member.Custody(b.vault.ID())
	must(t, err)
	for _, s := range segments {
		must(t, b.parts().board.Lost(b.vault.ID(), lost, shardOf(t, m, s, lost)))
	}
	for _, skew := range []time.Duration{-time.Hour, time.Hour, ledger.ClockSkew} {
		for i := range who.others {
			who.others[i].Skew = 0
			if who.others[i].Certificate.Node == lost { // there is no other place
				who.others[i].Skew = skew
			}
		}
		jobs, err := w.plan(t.Context())
		if err != nil || (len(jobs) > 0) != (skew == ledger.ClockSkew) {
			t.Errorf("a clock that is %v off: %d jobs, %v", skew, len(jobs), err)
		}
	}
}

// What audits find is planned: of a node that has lost its shards and has a volume again,
// all of them come back to it, by the stewards whose turn it is.
func TestASurveyPlansWhatAuditsFind(t *testing.T) {
	b, w, who := newSteward(t)
	segments := b.commit(40)
	lost := b.vault.Members[2].Node.Public()
	m, err := b.parts().member.Custody(b.vault.ID())
	must(t, err)
	for _, s := range segments {
		must(t, b.parts().board.Lost(b.vault.ID(), lost, shardOf(t, m, s, lost)))
	}
	jobs, err := w.plan(t.Context())
	if err != nil || len(jobs) == 0 || len(jobs) == len(segments) || who.asked != 1 {
		t.Fatalf("%d jobs of %d segments, %v; asked %d times", len(jobs), len(segments), err, who.asked)
	}
	for _, j := range jobs {
		if len(j.To) != 1 || j.To[0].Node != lost || j.Move {
			t.Errorf("job %+v", j.Task)
		}
		if first := repair.Order(j.Segment.CID, stewardsOf(b))[0]; first.Operator != b.me.Operator.Public() {
			t.Error("another steward comes before this one")
		}
	}
	if s := w.status(); s.Queue != int64(len(jobs)) {
		t.Errorf("status %+v", s)
	}
	// With a clock that is off from all others nothing is planned.
	for i := range who.others {
		who.others[i].Skew = time.Hour
	}
	if jobs, err := w.plan(t.Context()); !errors.Is(err, ledger.ErrClockDoubt) || len(jobs) != 0 {
		t.Errorf("%d jobs by a steward whose clock is off, %v", len(jobs), err)
	}
}

func stewardsOf(b *bench) (all []repair.Steward) {
	for _, m := range b.vault.Members {
		all = append(all, repair.Steward{Operator: m.Operator.Public(), Alive: true})
	}
	return all
}

// Candidates are the nodes of admitted operators that serve, with the weight that audits
// give them; who announces that it leaves, or has just failed, gets nothing; and a member
// that does not answer counts without space, and is no steward.
func TestWhoIsOffered(t *testing.T) {
	b, w, who := newSteward(t)
	who.others[0].State = p2p.Draining
	w.settle(segmentOf{vault: b.vault.ID()}, repair.Result{Job: repair.Job{Vault: &site{steward: w}}, Err: &repair.TargetError{Node: who.others[1].Certificate.Node, Err: shardrpc.ErrFull}})
	stranger := ledgertest.NewMember("stranger")
	who.others[2] = p2p.Node{Certificate: verified(t, stranger.Certificate), Space: 1 << 40}
	s := &survey{steward: w}
	if s.room(ident.SumRaw([]byte("another vault")), who.others[1]) == 0 {
		t.Error("what a node refuses in one vault keeps it out of another")
	}
	must(t, s.look(t.Context()))
	in, err := s.read(t.Context(), b.vault.ID())
	must(t, err)
	in.audited.holders[who.own.Certificate.Node] = audit.Holder{Weight: 321}
	v := s.view(in)
	s.offer(&v, in)
	at := func(i int) placement.Candidate {
		c := verified(t, b.vault.Members[i].Certificate)
		return placement.Candidate{Node: c.Node, Operator: c.Operator, Zone: c.Zone, Space: 1 << 30, Weight: newcomer}
	}
	own, draining, struck := at(0), at(1), at(2)
	own.Weight, draining.Space, struck.Space = 321, 0, 0
	silent := placement.Candidate{Operator: b.vault.Members[3].Operator.Public()}
	if want := []placement.Candidate{draining, struck, own, silent}; !slices.Equal(v.Candidates, want) {
		t.Errorf("candidates\n%v, want\n%v", v.Candidates, want)
	}
	// Of two other members that greet, one has lost its ledgers.
	b.mute = map[ident.PublicKey]bool{b.vault.Members[1].Node.Public(): true}
	alive, err := s.elect(t.Context(), &v, b.vault.Charter)
	if err != nil || alive != 2 || len(v.Stewards) != 4 {
		t.Errorf("%d of %d stewards are alive, %v", alive, len(v.Stewards), err)
	}
	for i, m := range b.vault.Members {
		j := slices.IndexFunc(v.Stewards, func(s repair.Steward) bool { return s.Operator == m.Operator.Public() })
		if want := i == 0 || i == 2; v.Stewards[j].Alive != want {
			t.Errorf("steward %d is alive: %v", i, v.Stewards[j].Alive)
		}
	}
	b.clock.advance(3 * time.Hour)
	if w.forget(nil); s.room(b.vault.ID(), who.others[1]) == 0 {
		t.Error("a new holder that failed is never asked again")
	}
	for skew, gets := range map[time.Duration]bool{time.Hour: false, -time.Hour: false, ledger.ClockSkew: true} {
		who.others[1].Skew = skew
		if room := s.room(b.vault.ID(), who.others[1]); (room > 0) != gets {
			t.Errorf("a node whose clock is off by %v is offered %d bytes", skew, room)
		}
	}
}

// A segment that could not be repaired is left alone for a while; one that is ill-coded
// for good, also after the node was started again, and without a mark against anybody.
func TestWhatIsLeftAlone(t *testing.T) {
	b, w, _ := newSteward(t)
	segments := b.commit(2)
	at := segmentOf{b.vault.ID(), segments[0]}
	chain, err := b.parts().member.Chain(at.vault)
	must(t, err)
	job := repair.Job{Vault: &site{steward: w, chain: chain}}
	job.Segment.CID = segments[0]
	w.report(repair.Result{Job: job, Err: fmt.Errorf("fetch: %w", repair.ErrSources)})
	if !w.isGiven(at) {
		t.Error("it is tried again at once")
	}
	b.clock.advance(retryMax + time.Second)
	if w.forget(nil); w.isGiven(at) {
		t.Error("it is left alone for ever")
	}
	w.report(repair.Result{Job: job, Err: fmt.Errorf("row 3: %w", repair.ErrIllCoded)})
	gone := segmentOf{at.vault, ident.SumDagCBOR([]byte("released"))} // it is in no entry any more
	must(t, b.parts().book.addIllCoded(gone, ledgertest.Key("device").Public()))
	ill := b.parts().illCoded()
	if len(ill) != 1 || ill[0].Segment != at.segment.String() || ill[0].Lane != ledgertest.Key("device").Public().String() {
		t.Errorf("ill-coded: %+v", ill)
	}
	again := (&steward{keys: w.keys, volume: w.volume, stamp: w.stamp, log: w.log, rules: w.rules}).start()
	s := &survey{steward: again}
	in, err := s.read(t.Context(), at.vault)
	must(t, err)
	v := s.view(in)
	if !v.IllCoded(at.segment) || v.IllCoded(segments[1]) {
		t.Error("an ill-coded segment is repaired, or another is not")
	}
	if alerts := ofSegments(Status{IllCoded: ill}); len(alerts) != 1 || alerts[0].Severity != Warning {
		t.Errorf("alerts %v", alerts)
	}
	if w.status().Failed != 2 {
		t.Errorf("status %+v", w.status())
	}
}

// A vault that cannot be looked at keeps no other from being repaired.
func TestOneBadVault(t *testing.T) {
	b, w, _ := newSteward(t)
	lost := b.vault.Members[2].Node.Public()
	segments := b.commit(40)
	m, err := b.parts().member.Custody(b.vault.ID())
	must(t, err)
	for _, s := range segments {
		must(t, b.parts().board.Lost(b.vault.ID(), lost, shardOf(t, m, s, lost)))
	}
	for i := range 4 { // whichever comes first
		other := b.vault.Draft(fmt.Sprint("another vault ", i))
		signed, err := ledger.SignCharter(b.vault.Owner, other)
		must(t, err)
		_, err = b.ledgers.Accept(t.Context(), signed)
		must(t, err)
		bad, err := ledger.VerifyFirstCharter(signed)
		must(t, err)
		must(t, b.parts().book.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketIllCoded).Put(pairKey(bad.ID(), []byte("no segment")), nil)
		}))
	}
	jobs, err := w.plan(t.Context())
	if !errors.Is(err, errBook) || len(jobs) == 0 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
}

// A member that the charter does not name any more plans nothing, and has nothing left
// to do.
func TestOnlyMembersAreStewards(t *testing.T) {
	b, w, _ := newSteward(t)
	segments := b.commit(5)
	m, err := b.parts().member.Custody(b.vault.ID())
	must(t, err)
	lost := b.vault.Members[2].Node.Public()
	for _, s := range segments {
		must(t, b.parts().board.Lost(b.vault.ID(), lost, shardOf(t, m, s, lost)))
	}
	w.note(b.vault.ID(), repair.Outlook{}, 7)
	w.keys.cert.Node = ident.PublicKey{9}
	if jobs, err := w.plan(t.Context()); err != nil || len(jobs) != 0 || w.status().Queue != 0 {
		t.Errorf("%d jobs, %v; status %+v", len(jobs), err, w.status())
	}
	b.wipe()
	if jobs, err := w.plan(t.Context()); err == nil || len(jobs) != 0 {
		t.Errorf("without a volume: %d jobs, %v", len(jobs), err)
	}
	if err := w.run(t.Context()); err != nil {
		t.Error("a paused volume is an error of the loop:", err)
	}
}
