package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/testnet"
)

// interrupted is a machine whose run has ended between two steps.
type interrupted struct {
	net  *testnet.Network
	home Home
	opts Options
}

func newInterrupted(t *testing.T) interrupted {
	t.Helper()
	return newMachine(t, func(Kit) error { return nil })
}

// newMachine makes a network and a vault in it.
func newMachine(t *testing.T, keepKit func(Kit) error) interrupted {
	t.Helper()
	n, err := testnet.InProcess(t.Context(), testnet.Config{Dir: t.TempDir(), Nodes: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	m := interrupted{
		n,
		Home{Dir: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache")},
		Options{Warn: func(text string) { t.Log("warning:", text) }},
	}
	_, _, err = m.home.Create(t.Context(), Create{
		Name: "shop", Bootstrap: n.Bootstrap(), Rights: ledger.Full, Device: "x", Options: m.opts,
		KeepKit: keepKit,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m interrupted) begin(t *testing.T) *Session {
	t.Helper()
	s, err := m.home.Open(t.Context(), "shop", m.opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// prepareEntry brings a commit to where its entry is signed and its draft is kept,
// and nobody has seen it.
func (m interrupted) prepareEntry(t *testing.T, s *Session, text string) (ident.Signed, []byte) {
	t.Helper()
	c, _, err := s.newCommit(t.Context(), Backup{Name: "f", Stream: strings.NewReader(text), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	snap, _, err := c.archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	introduced, err := c.writer.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.prepare(t.Context(), c.open, c.writer, snap, introduced+1)
	if err != nil {
		t.Fatal(err)
	}
	return m.keepDraft(t, s, p)
}

// prepareCheckpoint does the same with a checkpoint in the middle of a stream.
func (m interrupted) prepareCheckpoint(t *testing.T, s *Session, text string) (ident.Signed, []byte) {
	t.Helper()
	c, work := m.storeSome(t, s, text)
	defer c.close()
	next, err := c.newRound(c.open.found)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.cutOff(work, next)
	if err != nil {
		t.Fatal(err)
	}
	return m.keepDraft(t, s, p.prepared)
}

// storeSome begins a commit and stores a chunk, and nothing of a tree.
func (m interrupted) storeSome(t *testing.T, s *Session, text string) (*commit, context.Context) {
	t.Helper()
	c, work, err := s.newCommit(t.Context(), Backup{Name: "f", Stream: strings.NewReader(""), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.writer.File(t.Context(), strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return c, work
}

func (m interrupted) keepDraft(t *testing.T, s *Session, p prepared) (ident.Signed, []byte) {
	t.Helper()
	signed, err := s.sign(s.profile.Device, p.entry, p.encoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keepDraft(draft{V: 1, Entry: signed, Body: p.encoded}); err != nil {
		t.Fatal(err)
	}
	return signed, p.encoded
}

// voteOfSome has the first n members vote for an entry.
func voteOfSome(t *testing.T, s *Session, n int, signed ident.Signed, body []byte) (votes []ident.Signed) {
	t.Helper()
	return voteOf(t, s, s.charter.Members[:n], signed, body)
}

// voteOf has some members vote for an entry.
func voteOf(t *testing.T, s *Session, members []ledger.Member, signed ident.Signed, body []byte) (votes []ident.Signed) {
	t.Helper()
	e, err := ledger.VerifyEntry(signed)
	if err != nil {
		t.Fatal(err)
	}
	at := ledger.Place{Vault: s.vault, Charter: s.charter.CID(), Lane: e.Lane, Height: e.Height}
	proposal, err := ledger.SignProposal(s.profile.Device, ledger.Proposal{Place: at, Entry: e.CID()})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		vote, err := s.voteOf(t.Context(), m, at, proposal, ledger.Link{Entry: signed, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		votes = append(votes, vote)
	}
	return votes
}

// wantHead checks that the next run finds the entry certified, and can go on.
func (m interrupted) wantHead(t *testing.T, entry ident.CID) {
	t.Helper()
	s := m.begin(t)
	defer s.Close()
	head, ok := s.history.head(s.lane())
	if !ok || head.CID != entry {
		t.Fatalf("the interrupted entry is not the head: %v, %v", ok, head.CID)
	}
	if _, err := os.Stat(s.draftPath()); !os.IsNotExist(err) {
		t.Errorf("the draft is still there: %v", err)
	}
	r, err := s.Backup(t.Context(), Backup{Name: "g", Stream: strings.NewReader("more"), Program: "test"})
	if err != nil || r.Final.Link.Entry.Height != head.Entry.Height+1 {
		t.Errorf("the run after: %v", err)
	}
}

// TestResumeDraft: the client died before any member saw the entry.
func TestResumeDraft(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	signed, _ := m.prepareEntry(t, s, "draft")
	s.Close()
	m.wantHead(t, signed.CID())
}

// TestResumeVoted: it died when some members had voted.
func TestResumeVoted(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	signed, body := m.prepareEntry(t, s, "voted")
	voteOfSome(t, s, 2, signed, body)
	s.Close()
	m.wantHead(t, signed.CID())
}

// TestResumeLocked: it died when some members had voted, and its draft is lost. The
// members hand it out.
func TestResumeLocked(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	signed, body := m.prepareEntry(t, s, "locked")
	voteOfSome(t, s, 1, signed, body)
	if err := s.dropDraft(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	m.wantHead(t, signed.CID())
}

// TestResumeCertified: it died when a quorum had voted and one member had the
// certificate. A reader that comes first completes it.
func TestResumeCertified(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	signed, body := m.prepareEntry(t, s, "certified")
	cert, err := ledger.NewCertificate(voteOfSome(t, s, 3, signed, body), s.charter)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.member(s.charter.Members[0]).Certify(t.Context(), s.vault, cert); err != nil {
		t.Fatal(err)
	}
	s.Close()
	reader, err := m.home.Open(t.Context(), "shop", m.opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	answers, _, err := reader.askHeads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	have := 0
	for _, a := range answers {
		if laneHeight(a.Value, reader.lane()) == 1 {
			have++
		}
	}
	if have < reader.charter.Quorum() {
		t.Errorf("%d members have the certificate after a reader has seen it", have)
	}
	reader.Close()
	m.wantHead(t, signed.CID())
}

// TestCheckpointCrashes kills a run at each step of a checkpoint. Before a member has
// voted there is nothing to be seen; in the end the entry is there once, partial, and
// what it has introduced is not stored again.
func TestCheckpointCrashes(t *testing.T) {
	m := newInterrupted(t)
	for step, after := range map[string]func(t *testing.T, s *Session, signed ident.Signed, body []byte){
		"draft": func(*testing.T, *Session, ident.Signed, []byte) {},
		"voted": func(t *testing.T, s *Session, signed ident.Signed, body []byte) { voteOfSome(t, s, 2, signed, body) },
		"locked": func(t *testing.T, s *Session, signed ident.Signed, body []byte) {
			voteOfSome(t, s, 1, signed, body)
			if err := s.dropDraft(); err != nil {
				t.Fatal(err)
			}
		},
		"certified": func(t *testing.T, s *Session, signed ident.Signed, body []byte) {
			cert, err := ledger.NewCertificate(voteOfSome(t, s, s.charter.Quorum(), signed, body), s.charter)
			if err == nil {
				_, err = s.member(s.charter.Members[0]).Certify(t.Context(), s.vault, cert)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(step, func(t *testing.T) {
			text := strings.Repeat("what is stored in step "+step+" ", 1000)
			s := m.begin(t)
			height := s.history.height(s.lane())
			signed, body := m.prepareCheckpoint(t, s, text)
			if m.height(t, s) != height {
				t.Error("something is to be seen before anybody has voted")
			}
			after(t, s, signed, body)
			s.Close()
			m.wantHead(t, signed.CID())

			s = m.begin(t)
			snap, err := s.Resolve(t.Context(), signed.CID().Hex(), Filter{})
			if err != nil || !snap.Info.Partial {
				t.Fatalf("the checkpoint: %+v, %v", snap.Info, err)
			}
			again, err := s.Backup(t.Context(), Backup{Name: "f", Stream: strings.NewReader(text), Program: "test"})
			if err != nil || again.Snapshot.Stats.Added >= int64(len(text)) {
				t.Errorf("%d bytes were stored again, %v", again.Snapshot.Stats.Added, err)
			}
			s.Close()
		})
	}
}

// height is what somebody else sees of a lane.
func (m interrupted) height(t *testing.T, s *Session) int64 {
	t.Helper()
	answers, _, err := s.askHeads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return highest(answers)[s.lane()].height
}

// TestCrashBeforeCheckpointIsPrepared: data segments are placed, and the metadata
// segment too, and no entry is signed. Nothing is to be seen, now and later.
func TestCrashBeforeCheckpointIsPrepared(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	c, work := m.storeSome(t, s, "some data")
	next, err := c.newRound(c.open.found)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.cutOff(work, next); err != nil {
		t.Fatal(err)
	}
	c.close()
	s.Close()
	s = m.begin(t)
	if all, err := s.Snapshots(t.Context(), Filter{}); err != nil || len(all) != 0 {
		t.Errorf("%d snapshots, %v", len(all), err)
	}
	if _, err := s.Backup(t.Context(), Backup{Name: "g", Stream: strings.NewReader("some data"), Program: "test"}); err != nil {
		t.Error(err)
	}
}

// TestCheckpointAfterOutage: members do not answer when a checkpoint is to be
// certified. It waits for them, as long as there is something to read.
func TestCheckpointAfterOutage(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	c, work := m.storeSome(t, s, "some data")
	defer c.close()
	next, err := c.newRound(c.open.found)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.cutOff(work, next)
	if err != nil {
		t.Fatal(err)
	}
	members := s.charter.Members
	s.charter.Members = nil // nobody is asked
	asked := 0
	s.options.Warn = func(text string) {
		if asked++; asked == 1 {
			s.charter.Members = members
		}
	}
	if _, err := c.appendPatiently(work, p.prepared, make(chan struct{})); err != nil || asked != 1 {
		t.Errorf("%d warnings, %v", asked, err)
	}
}

// TestDraftIsKeptWhileMembersAreAway: when the next run comes, too few members are
// up, and those that are vote. The entry must not be given up for another one: at its
// height nothing else could find a quorum any more.
func TestDraftIsKeptWhileMembersAreAway(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	signed, _ := m.prepareEntry(t, s, "away")
	s.Close()
	for _, name := range []string{"node-3", "node-4"} {
		if _, err := m.net.Break(t.Context(), testnet.Kill, name); err != nil {
			t.Fatal(err)
		}
	}
	few, err := m.home.Open(t.Context(), "shop", m.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer few.Close()
	if _, err := few.Begin(t.Context()); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two of four members: %v", err)
	}
	if _, err := os.Stat(few.draftPath()); err != nil {
		t.Error("the draft is gone:", err)
	}
	few.Close()
	for _, name := range []string{"node-3", "node-4"} {
		if _, err := m.net.Heal(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	m.wantHead(t, signed.CID())
}

// TestHopelessDraft: a draft that a quorum refuses for good is given up, and the run
// goes on.
func TestHopelessDraft(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	signed, body := m.prepareEntry(t, s, "hopeless")
	e, err := ledger.VerifyEntry(signed)
	if err != nil {
		t.Fatal(err)
	}
	e.Charter = ident.SumDagCBOR([]byte("another charter"))
	if signed, err = ledger.SignEntry(s.profile.Device, e); err != nil {
		t.Fatal(err)
	}
	if err := s.keepDraft(draft{V: 1, Entry: signed, Body: body}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = m.begin(t)
	if _, err := os.Stat(s.draftPath()); !os.IsNotExist(err) {
		t.Errorf("the draft is still there: %v", err)
	}
	if _, err := s.Backup(t.Context(), Backup{Name: "g", Stream: strings.NewReader("more"), Program: "test"}); err != nil {
		t.Errorf("the run after: %v", err)
	}
}
