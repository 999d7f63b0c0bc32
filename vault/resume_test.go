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
		KeepKit: func(Kit) error { return nil },
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
	c, err := s.newCommit(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.writer.Abort()
	snap, _, err := c.archive(t.Context(), Backup{Name: "f", Stream: strings.NewReader(text), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	introduced, err := c.writer.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.prepare(t.Context(), snap, introduced+1)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.sign(s.profile.Device, p.entry, p.encoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keepDraft(draft{V: 1, Entry: signed, Body: p.encoded}); err != nil {
		t.Fatal(err)
	}
	return signed, p.encoded
}

// voteOfSome has some members vote for an entry.
func voteOfSome(t *testing.T, s *Session, n int, signed ident.Signed, body []byte) {
	t.Helper()
	e, err := ledger.VerifyEntry(signed)
	if err != nil {
		t.Fatal(err)
	}
	proposal, err := ledger.SignProposal(s.profile.Device, ledger.Proposal{
		Place: ledger.Place{Vault: s.vault, Charter: s.charter.CID(), Lane: e.Lane, Height: e.Height}, Entry: e.CID(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.charter.Members[:n] {
		if _, err := s.voteOf(t.Context(), m, e, proposal, signed, body); err != nil {
			t.Fatal(err)
		}
	}
}

// wantHead checks that the next run finds the entry certified, and can go on.
func (m interrupted) wantHead(t *testing.T, entry ident.CID) {
	t.Helper()
	s := m.begin(t)
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
	e, err := ledger.VerifyEntry(signed)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := s.propose(t.Context(), s.profile.Device, e, signed, body)
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
		if laneHeight(a.Value, reader.lane()) == e.Height {
			have++
		}
	}
	if have < reader.charter.Quorum() {
		t.Errorf("%d members have the certificate after a reader has seen it", have)
	}
	reader.Close()
	m.wantHead(t, signed.CID())
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
