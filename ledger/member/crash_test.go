package member_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

const crashDir = "HOLDFAST_TEST_CRASH_DIR"

func crashVault() *ledgertest.Vault { return ledgertest.NewVault("crash", 4) }

func crashDevices() []ident.PrivateKey {
	return []ident.PrivateKey{ledgertest.Key("crash a"), ledgertest.Key("crash b"), ledgertest.Key("crash c")}
}

// TestCrashChild is the process that is killed: a member that votes and acknowledges
// as fast as it can, on several lanes at once, and prints each promise after it was
// given.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("runs in TestCrash only")
	}
	v := crashVault()
	s, err := member.Open(config(dir, v, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(v.Signed); err != nil {
		t.Fatal(err)
	}
	owner := v.OwnerLane()
	for _, key := range crashDevices() {
		if _, ok := s.Grant(v.ID(), key.Public()); !ok {
			enrol(s, v, owner, key)
		}
	}
	var lanes sync.WaitGroup
	for _, key := range crashDevices() {
		lanes.Go(func() {
			if err := work(s, v, key); err != nil {
				say("broken %v", err)
			}
		})
	}
	lanes.Wait()
}

// say prints a line in one write: a killed process leaves whole lines.
func say(format string, args ...any) { os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n") }

// enrol makes a device, from where the owner's lane stands.
func enrol(s *member.Store, v *ledgertest.Vault, owner *ledgertest.Lane, key ident.PrivateKey) {
	nonce := [16]byte{1}
	h := must(ledger.VerifyHeads(must(s.Heads(v.ID(), nonce)), v.Charter, v.Charter.Members[0], nonce)).Lane(v.Owner.Public())
	owner.Height, owner.Head = h.Height, h.Entry
	step := owner.Enrol(v.Grant(key, ledger.Append))
	must(s.Propose(v.ID(), step.Proposal, step.Signed, step.Body))
	must(s.Certify(v.ID(), v.Certificate(step)))
}

// laneOf returns a device's lane as the member knows it, and the lock above.
func laneOf(s *member.Store, v *ledgertest.Vault, key ident.PrivateKey) (*ledgertest.Lane, ledger.Lock) {
	nonce := [16]byte{2}
	h := must(ledger.VerifyHeads(must(s.Heads(v.ID(), nonce)), v.Charter, v.Charter.Members[0], nonce)).Lane(key.Public())
	l := v.Lane(key)
	l.Height, l.Head, l.Count = h.Height, h.Entry, h.Height // one segment for each entry
	if h.Height > 0 {
		l.Set = l.Set.With(key.Public(), ident.CID{}, ledger.Spans{{First: 0, Count: h.Height}})
	}
	return l, h.Lock
}

// work adds to a lane without end. A lock that a killed process has left is tried
// first: another entry must be refused, the same one gets its vote again.
func work(s *member.Store, v *ledgertest.Vault, key ident.PrivateKey) error {
	for {
		l, lock := laneOf(s, v, key)
		step := l.Snapshot(fmt.Sprint(rand.Uint64()), 1)
		if lock != (ledger.Lock{}) {
			if _, err := s.Propose(v.ID(), step.Proposal, step.Signed, step.Body); !errors.Is(err, member.ErrLocked) {
				return fmt.Errorf("voted against a lock: %v", err)
			}
			link, err := s.Link(v.ID(), lock.Entry)
			if err != nil {
				return fmt.Errorf("locked entry: %w", err)
			}
			step = again(key, link)
		}
		vote, err := s.Propose(v.ID(), step.Proposal, step.Signed, step.Body)
		if err != nil {
			return err
		}
		say("vote %s %d %s %x", key.Public(), step.Entry.Height, step.Entry.CID().Hex(), vote.Signature[:])
		if _, err := s.Certify(v.ID(), v.Certificate(step)); err != nil {
			return err
		}
		say("ack %s %d %s", key.Public(), step.Entry.Height, step.Entry.CID().Hex())
	}
}

// again is the step of an entry that was proposed before.
func again(key ident.PrivateKey, link ledger.Link) ledgertest.Step {
	s := ledgertest.Step{Signed: link.Entry, Entry: must(ledger.VerifyEntry(link.Entry)), Body: link.Body}
	s.Proposal = must(ledger.SignProposal(key, s.Propose()))
	return s
}

// promises is what all the processes together have said.
type promises struct {
	votes map[string]string // place -> entry and vote
	acks  map[string]string // place -> entry
	lines int
}

func (p *promises) hear(t *testing.T, line string) {
	t.Helper()
	f := strings.Fields(line)
	switch {
	case len(f) == 5 && f[0] == "vote":
		place, vote := f[1]+" "+f[2], f[3]+" "+f[4]
		if was, ok := p.votes[place]; ok && was != vote {
			t.Errorf("two votes at %s: %s, %s", place, was, vote)
		}
		p.votes[place] = vote
	case len(f) == 4 && f[0] == "ack":
		p.acks[f[1]+" "+f[2]] = f[3]
	default:
		t.Errorf("child says: %s", line)
	}
	p.lines++
}

// hold checks in a store that every promise holds.
func (p *promises) hold(t *testing.T, s *member.Store, v *ledgertest.Vault) {
	t.Helper()
	for _, key := range crashDevices() {
		l, lock := laneOf(s, v, key)
		for height := int64(1); ; height++ {
			place := fmt.Sprintf("%s %d", key.Public(), height)
			voted, wasVoted := p.votes[place]
			acked, wasAcked := p.acks[place]
			if !wasVoted && !wasAcked && height > l.Height {
				break
			}
			if wasAcked && height > l.Height {
				t.Errorf("%s: acknowledged, and the head is %d", place, l.Height)
			}
			entry := certifiedAt(t, s, v, key.Public(), height)
			if height > l.Height {
				entry = lock.Entry.Hex()
			}
			if wasVoted && !strings.HasPrefix(voted, entry+" ") || wasAcked && acked != entry {
				t.Errorf("%s: voted for %.8s, acknowledged %.8s, holds %.8s", place, voted, acked, entry)
			}
		}
		if lock != (ledger.Lock{}) {
			if _, err := s.Link(v.ID(), lock.Entry); err != nil {
				t.Errorf("locked entry: %v", err)
			}
		}
	}
}

// certifiedAt reads and verifies the entry of a height, with its body; empty if
// there is none.
func certifiedAt(t *testing.T, s *member.Store, v *ledgertest.Vault, lane ident.PublicKey, height int64) string {
	t.Helper()
	links, err := s.Links(v.ID(), lane, height, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(links) == 0 {
		return ""
	}
	e, c, err := must(ledger.ParseLink(links[0])).Verify(v.Charter)
	if err != nil || c.Certifies(e) != nil || e.Height != height {
		t.Errorf("height %d: %v", height, err)
	}
	if _, err := s.Body(v.ID(), e.Body); err != nil {
		t.Errorf("height %d: %v", height, err)
	}
	return e.CID().Hex()
}

// Whenever the process is killed: every vote is still held to its entry, every
// acknowledged entry is there with body and certificate, and no place ever gets a
// vote for a second entry.
func TestCrash(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir, v := t.TempDir(), crashVault()
	p := &promises{votes: map[string]string{}, acks: map[string]string{}}
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		p.round(t, dir, random.IntN(40), time.Duration(random.IntN(8000))*time.Microsecond)
		s, err := member.Open(config(dir, v, 0))
		if err != nil {
			t.Fatal(err)
		}
		p.hold(t, s, v)
		if err := member.CheckCustody(s); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	if p.lines < rounds || len(p.acks) == 0 {
		t.Errorf("%d promises, %d acks: nothing was tested", p.lines, len(p.acks))
	}
	t.Logf("%d places voted, %d acknowledged", len(p.votes), len(p.acks))
}

// round runs one child and kills it some time after it has said so many lines.
func (p *promises) round(t *testing.T, dir string, lines int, more time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
	child.Env = append(os.Environ(), crashDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { child.Process.Kill() }
	giveUp := time.AfterFunc(time.Minute, kill)
	defer giveUp.Stop()
	said := bufio.NewScanner(out)
	for n := 0; said.Scan(); n++ {
		p.hear(t, said.Text())
		if n == lines {
			time.AfterFunc(more, kill)
		}
	}
	child.Wait()
}
