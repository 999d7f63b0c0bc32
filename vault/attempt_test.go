package vault

import (
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/testnet"
)

// secondEntry is another entry for the same height: the draft of the first is lost.
func (m interrupted) secondEntry(t *testing.T, s *Session, text string) (ident.Signed, []byte) {
	t.Helper()
	if err := s.dropDraft(); err != nil {
		t.Fatal(err)
	}
	return m.prepareEntry(t, s, text)
}

// TestSplitVotes: two interrupted runs have left the members bound to two entries, and
// neither can find a quorum at the first attempt.
func TestSplitVotes(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	one, body := m.prepareEntry(t, s, "one")
	voteOf(t, s, s.charter.Members[:2], one, body)
	two, body := m.secondEntry(t, s, "two")
	voteOf(t, s, s.charter.Members[2:], two, body)
	s.Close()
	m.wantHead(t, two.CID())
	s = m.begin(t)
	if head, _ := s.history.head(s.lane()); head.Entry.Height != 2 {
		t.Errorf("height %d", head.Entry.Height)
	}
	// That the device has signed two is known, proved, and told once.
	got := s.Evidence(t.Context())
	if len(got) != 1 || got[0].Place.Lane != s.lane() || got[0].Place.Height != 1 || got[0].Device != "x" || got[0].Members != nil {
		t.Errorf("%+v", got)
	}
	if _, ok := s.accusation(append(got[0].Proof, 0)); ok {
		t.Error("no proof is taken for one")
	}
}

// TestSplitVotesAndNoDraft: the same, and nobody but the members has the entries.
func TestSplitVotesAndNoDraft(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	one, body := m.prepareEntry(t, s, "one")
	voteOf(t, s, s.charter.Members[:2], one, body)
	two, body := m.secondEntry(t, s, "two")
	voteOf(t, s, s.charter.Members[2:], two, body)
	if err := s.dropDraft(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = m.begin(t)
	head, _ := s.history.head(s.lane())
	if head.CID != one.CID() && head.CID != two.CID() {
		t.Errorf("head %v", head.CID)
	}
}

// TestHiddenCertificate: an entry was certified, and only a member that is away knows.
// The run goes on without it, and brings it over when it is back.
func TestHiddenCertificate(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	one, body := m.prepareEntry(t, s, "one")
	cert, err := ledger.NewCertificate(voteOfSome(t, s, 3, one, body), s.charter)
	if err != nil {
		t.Fatal(err)
	}
	hiding := s.charter.Members[0]
	if _, err := s.member(hiding).Certify(t.Context(), s.vault, cert); err != nil {
		t.Fatal(err)
	}
	elsewhere := Home{Dir: m.home.Dir, Cache: t.TempDir()}
	reader, err := elsewhere.Open(t.Context(), "shop", m.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := reader.followFrom(t, hiding); err != nil {
		t.Fatal(err)
	}
	m.breakNode(t, hiding)
	two, _ := m.secondEntry(t, s, "two")
	s.Close()
	s = m.begin(t)
	if head, _ := s.history.head(s.lane()); head.CID != two.CID() {
		t.Fatalf("head %v", head.CID)
	}
	m.heal(t, hiding)
	s.Close()
	if head, _ := reader.history.head(reader.lane()); head.CID != one.CID() {
		t.Errorf("the reader has seen %v", head.CID)
	}
	if _, err := reader.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if head, _ := reader.history.head(reader.lane()); head.CID != two.CID() {
		t.Errorf("the reader stays at %v", head.CID)
	}
	reader.Close()
	m.wantHead(t, two.CID())
	s = m.begin(t)
	if h := m.heightAt(t, s, hiding); h != 2 {
		t.Errorf("the member that was away is at height %d", h)
	}
}

// TestOvertaken: the only members that are up have the certificate of an entry that
// this machine did not see when it began. It comes first; the next run goes on.
func TestOvertaken(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	one, body := m.prepareEntry(t, s, "one")
	cert, err := ledger.NewCertificate(voteOfSome(t, s, 3, one, body), s.charter)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.member(s.charter.Members[0]).Certify(t.Context(), s.vault, cert); err != nil {
		t.Fatal(err)
	}
	two, body := m.secondEntry(t, s, "two")
	m.breakNode(t, s.charter.Members[3])
	_, err = s.offer(t.Context(), s.profile.Device, two, body)
	if !errors.Is(err, ErrOvertaken) {
		t.Fatalf("%v", err)
	}
	if head, _ := s.history.head(s.lane()); head.CID != one.CID() {
		t.Errorf("head %v", head.CID)
	}
	s.Close()
	m.heal(t, s.charter.Members[3])
	m.wantHead(t, one.CID())
}

// TestAcksAreLost: members do not know whether the head is decided, and will not give
// their acks again: they have reported since. The head is decided once more.
func TestAcksAreLost(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	r, err := s.Backup(t.Context(), Backup{Name: "f", Stream: strings.NewReader("one"), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	link, err := s.wholeLink(t.Context(), r.Final.Link)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first leaves certificates of attempt 1, the second floors above
		o := s.newOffering(s.profile.Device, r.Final.Link.Entry, link.Entry, link.Body)
		if free, err := o.next(t.Context()); free || err != nil {
			t.Fatal(free, err)
		}
		if o.floor == 0 {
			if _, err := o.run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Close()
	s = m.begin(t)
	defer s.Close()
	r, err = s.Backup(t.Context(), Backup{Name: "g", Stream: strings.NewReader("two"), Program: "test"})
	if err != nil || r.Final.Link.Entry.Height != 2 {
		t.Fatalf("height %d, %v", r.Final.Link.Entry.Height, err)
	}
	if _, err := os.Stat(s.draftPath()); err == nil {
		s.settle()
	}
}

// TestFloorsAreHearsay: one member's word moves the next attempt by so much and no more.
func TestFloorsAreHearsay(t *testing.T) {
	m := newInterrupted(t)
	s := m.begin(t)
	one, body := m.prepareEntry(t, s, "one")
	e, err := ledger.VerifyEntry(one)
	if err != nil {
		t.Fatal(err)
	}
	o := s.newOffering(s.profile.Device, e, one, body)
	o.floor = 1 << 60
	if free, err := o.next(t.Context()); !free || err != nil || o.attempt != attemptStep+1 {
		t.Errorf("attempt %d, %v, %v", o.attempt, free, err)
	}
	s.Close()
	m.wantHead(t, one.CID())
}

// followFrom takes in what one member alone has of this machine's lane, and tells
// nobody.
func (s *Session) followFrom(t *testing.T, m ledger.Member) error {
	t.Helper()
	if err := s.host.Start(t.Context()); err != nil {
		return err
	}
	return errors.Join(s.pullFrom(t.Context(), m, s.charter.Owner, 1), s.pullFrom(t.Context(), m, s.lane(), 1))
}

func (m interrupted) breakNode(t *testing.T, member ledger.Member) {
	t.Helper()
	if _, err := m.net.Break(t.Context(), testnet.Kill, "operator="+member.Name); err != nil {
		t.Fatal(err)
	}
}

func (m interrupted) heal(t *testing.T, member ledger.Member) {
	t.Helper()
	if _, err := m.net.Heal(t.Context(), "operator="+member.Name); err != nil {
		t.Fatal(err)
	}
}

// heightAt is what a member says of this machine's lane.
func (m interrupted) heightAt(t *testing.T, s *Session, member ledger.Member) int64 {
	t.Helper()
	answers, _, err := s.askHeads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Member.Node == member.Node && a.Err == nil {
			return laneHeight(a.Value, s.lane())
		}
	}
	return -1
}
