package member_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// everyWrite is for longer runs: go test ./ledger/member -run TestEveryWrite -every-write
var everyWrite = flag.Bool("every-write", false, "TestEveryWrite kills before every write, and not before some of them")

const everyDir = "HOLDFAST_TEST_EVERY_DIR"

// stage is one thing that a member is asked for, and what must hold ever after if it has
// done it.
type stage struct {
	name string
	do   func(*member.Store) error
	kept func(*member.Store) error
}

// script makes the stages of a member's life: every kind of promise that it gives. Member
// 0 lives it; the others' votes are made with their keys.
func script() (*ledgertest.Vault, []stage) {
	v := ledgertest.NewVault("every write", 4).Change("every write", func(ch *ledger.Charter) {
		ledgertest.Sharing(3, 2)(ch)
		atOnce(ch)
	})
	w := &scripted{vault: v, id: v.ID(), others: []int{1, 2, 3}}
	owner := v.OwnerLane()
	lane := v.Lane(ledgertest.Key("every device"))
	w.add("accept", func(s *member.Store) error { _, err := s.Accept(v.Signed); return err }, func(s *member.Store) error { _, err := s.Charter(w.id); return err })
	enrol := owner.Enrol(v.Grant(lane.Key, ledger.Append))
	w.vote("enrol", owner, enrol, 0)
	w.ack("enrol", enrol, 0, 0, 1, 2)
	small := lane.Snapshot("small", 1)
	w.vote("small", lane, small, 0)
	w.ack("small", small, 0, 0, 1, 2)
	lane.Advance(small)
	large := lane.Snapshot("large", 1300)
	w.vote("large", lane, large, 0)
	w.ack("large", large, 0, 1, 2, 3)
	lane.Advance(large)
	lost, won := lane.Snapshot("lost", 1), lane.Snapshot("won", 1)
	w.vote("lost", lane, lost, 0)
	w.report("lost", lane, lost, 2)
	w.vote("won", lane, won, 2)
	w.ack("won", won, 2, w.others...)
	lane.Advance(won)
	first, second := lane.Snapshot("first", 1), lane.Snapshot("second", 1)
	w.adopt("first", first, 0)
	w.report("second", lane, second, 1)
	w.adopt("second", second, 1)
	w.add("settle", func(s *member.Store) error { return s.Settle() }, func(*member.Store) error { return nil })
	owner.Advance(enrol)
	w.confirm(-time.Hour)
	w.confirm(0)
	w.release(owner)
	w.freeze(lane)
	return v, w.stages
}

// scripted gathers stages.
type scripted struct {
	vault  *ledgertest.Vault
	id     ident.CID
	others []int
	stages []stage
}

func (w *scripted) add(name string, do, kept func(*member.Store) error) {
	w.stages = append(w.stages, stage{name, do, kept})
}

// vote asks for a vote. Once it is given, no other entry gets one there.
func (w *scripted) vote(name string, l *ledgertest.Lane, s ledgertest.Step, attempt int64) {
	proposal := s.Proposal
	if attempt > 0 {
		proposal = l.Again(s, attempt, w.reports(s, attempt)...)
	}
	at := *l
	other := at.Snapshot("rival of "+name, 1)
	if l.Key.Public() == w.vault.Owner.Public() {
		other = at.Revoke(ledgertest.Key("nobody").Public())
	}
	rival := other.Proposal
	if attempt > 0 {
		rival = l.Again(other, attempt, w.reports(other, attempt)...)
	}
	w.add("vote "+name,
		func(store *member.Store) error {
			_, err := store.Propose(w.id, proposal, s.Signed, s.Body)
			return err
		},
		func(store *member.Store) error {
			if _, err := store.Propose(w.id, rival, other.Signed, other.Body); err == nil {
				return errors.New("another entry got a vote at the same place")
			}
			return nil
		})
}

// reports are those of the other members: they hold nothing at the height.
func (w *scripted) reports(s ledgertest.Step, attempt int64) []ident.Signed {
	var out []ident.Signed
	for _, i := range w.others {
		m := w.vault.Members[i]
		at := s.Propose().Place
		at.Attempt = attempt
		out = append(out, must(ledger.SignReport(m.Vote, ledger.Report{Place: at, Operator: m.Operator.Public()})))
	}
	return out
}

// report asks for a promise. Once it is given, no lower attempt gets one.
func (w *scripted) report(name string, l *ledgertest.Lane, s ledgertest.Step, attempt int64) {
	w.add("report "+name,
		func(store *member.Store) error { _, err := store.Report(w.id, l.Ask(s, attempt)); return err },
		func(store *member.Store) error {
			if _, err := store.Propose(w.id, s.Proposal, s.Signed, s.Body); err == nil {
				return errors.New("a vote below the floor")
			}
			return nil
		})
}

// ack hands over a certificate of some members' votes. Once it is acknowledged the entry
// is there, with that certificate or a later one, unless a later one has replaced it.
func (w *scripted) ack(name string, s ledgertest.Step, attempt int64, members ...int) {
	cert := w.vault.CertificateOf(s, attempt, members...)
	w.add("ack "+name, func(store *member.Store) error { _, err := store.Certify(w.id, cert); return err }, w.there(s))
}

func (w *scripted) adopt(name string, s ledgertest.Step, attempt int64) {
	link := w.vault.LinkOf(s, attempt, w.others...)
	w.add("adopt "+name, func(store *member.Store) error { return store.Adopt(w.id, link) }, w.there(s))
}

func (w *scripted) there(s ledgertest.Step) func(*member.Store) error {
	return func(store *member.Store) error {
		links, err := store.Links(w.id, s.Entry.Lane, s.Entry.Height, 1)
		if err != nil || len(links) == 0 {
			return fmt.Errorf("nothing at height %d: %w", s.Entry.Height, err)
		}
		e, _, err := must(ledger.ParseLink(links[0])).Verify(w.vault.Charter)
		if err != nil {
			return err
		}
		_, err = store.Body(w.id, e.Body)
		return err
	}
}

// place brings a later receipt of a member for the first shard of a snapshot, instead of
// the one before.
func (w *scripted) place(name string, s ledgertest.Step, minutes int64) {
	m, when := w.vault.Members[3], ledger.Millis(ledgertest.Start())+60_000*minutes
	receipt := must(ledger.SignReceipt(m.Vote, ledger.Receipt{
		Vault: w.id, Charter: w.vault.Charter.CID(), Device: m.Node.Public(), Node: m.Node.Public(),
		Shards: []ledger.ReceiptShard{shard(s, 0, 0)}, Time: when, Until: when + 8*24*3600*1000,
	}))
	w.add("place "+name, func(store *member.Store) error { return store.AddPlacement(w.id, receipt, m.Certificate) }, func(store *member.Store) error {
		list, err := store.Placements(w.id, s.Segments()[0])
		if err != nil || len(list) != 1 || ledger.Millis(ledgertest.Start())+60_000*minutes > must(ledger.VerifyReceipt(list[0].Receipt, m.Vote.Public(), w.id)).Time {
			return fmt.Errorf("%d placements, %w", len(list), err)
		}
		return nil
	})
}

// confirm brings a guardian's confirmation, instead of the one before.
func (w *scripted) confirm(after time.Duration) {
	word := w.vault.Confirmation(ledgertest.GuardianKey(0), ledgertest.Start().Add(after))
	w.add(fmt.Sprint("confirm ", after), func(s *member.Store) error {
		if err := s.Confirm(w.id, word); !errors.Is(err, ledger.ErrSuperseded) {
			return err
		}
		return nil
	}, func(s *member.Store) error {
		list, err := s.Confirmations(w.id)
		if err == nil && (len(list) != 1 || after == 0 && list[0].CID() != word.CID()) {
			err = fmt.Errorf("%d confirmations, or an older one", len(list))
		}
		return err
	})
}

// release goes through what is promised about a release of a snapshot's only segment.
func (w *scripted) release(owner *ledgertest.Lane) {
	v, id := w.vault, w.id
	old := v.Lane(ledgertest.Key("every old device"))
	enrol, target := owner.Enrol(v.Grant(old.Key, ledger.Append)), old.Snapshot("target", 1)
	w.adopt("enrol old", enrol, 0)
	w.adopt("target", target, 0)
	owner.Advance(enrol)
	old.Advance(target)
	w.place("shard", target, 1)
	w.place("shard again", target, 2)
	request := v.Request(v.Owner, ledger.RequestRelease, target.Entry.CID())
	release := v.Release(request.CID(), target.Segments()[0])
	cert, _, err := ledger.NewReleaseCertificate(release, v.Consents(release, 3), v.Charter)
	must(cert, err)
	nothing := func(*member.Store) error { return nil }
	w.add("request", func(s *member.Store) error { return s.Request(id, request, ident.Signed{}) }, nothing)
	for g := range 2 {
		word := v.Opinion(ledgertest.GuardianKey(g), ledger.Approve, request.CID())
		w.add(fmt.Sprint("approval ", g), func(s *member.Store) error { return s.Opine(id, ledger.Approve, word) }, nothing)
	}
	reference := old.Snapshot("refers to what is released", 1)
	excluded := func(s *member.Store) error {
		if _, err := s.Propose(id, reference.Proposal, reference.Signed, reference.Body); err == nil {
			return errors.New("a vote for what refers to a segment that is closing")
		}
		return nil
	}
	w.add("consent", func(s *member.Store) error { _, err := s.Consent(id, release); return err }, excluded)
	w.add("release", func(s *member.Store) error { return s.Release(id, cert) }, excluded)
}

// freeze ends what this member does under the charter.
func (w *scripted) freeze(lane *ledgertest.Lane) {
	next, after := w.vault.Next(nil), *lane
	last := after.Snapshot("after the freeze", 1)
	w.add("freeze", func(s *member.Store) error { _, err := s.Freeze(w.id, next); return err }, func(s *member.Store) error {
		if _, err := s.Propose(w.id, last.Proposal, last.Signed, last.Body); err == nil {
			return errors.New("a vote under a frozen charter")
		}
		return nil
	})
}

// TestEveryWriteChild is the process that is killed. It says what it has done.
func TestEveryWriteChild(t *testing.T) {
	dir := os.Getenv(everyDir)
	if dir == "" {
		t.Skip("runs in TestEveryWrite only")
	}
	v, stages := script()
	s := must(member.Open(config(dir, v, 0)))
	for _, stage := range stages {
		if err := stage.do(s); err != nil {
			t.Fatalf("%s: %v", stage.name, err)
		}
		say("done %s", stage.name)
	}
	must(0, s.Close())
}

// A member that is killed before any of its writes, in a transaction, in a file or
// between them: it has kept what it promised, and goes on from there.
func TestEveryWrite(t *testing.T) {
	chosen := newSeed(t)
	v, stages := script()
	made, ended, _ := life(t, 0)
	if !ended {
		t.Fatal("the child came to no end")
	}
	kills := rand.New(rand.NewPCG(chosen, 0)).Perm(made)
	switch {
	case *everyWrite:
	case testing.Short():
		kills = kills[:5]
	default:
		kills = kills[:min(made, 12)]
	}
	t.Logf("%d writes, killed before %d of them", made, len(kills))
	for _, last := range kills {
		_, _, dir := life(t, last+1)
		said := must(os.ReadFile(filepath.Join(dir, "said")))
		done := strings.Count(string(said), "done ")
		s, err := member.Open(config(filepath.Join(dir, "store"), v, 0))
		if err != nil {
			t.Fatalf("write %d, after %d stages: %v", last, done, err)
		}
		watch(t, s)
		for i, stage := range stages {
			if i >= done {
				if err := stage.do(s); err != nil {
					t.Errorf("write %d: it does not go on with %s: %v", last, stage.name, err)
				}
			}
			if err := stage.kept(s); err != nil {
				t.Errorf("write %d: %s is not kept: %v", last, stage.name, err)
			}
		}
		if err := errors.Join(member.CheckCustody(s), s.Close(), os.RemoveAll(dir)); err != nil || t.Failed() {
			t.Fatalf("write %d, after %d stages: %v\n%s", last, done, err, said)
		}
	}
}

// life runs the child in a folder of its own, to the end or to a write.
func life(t *testing.T, last int) (made int, ended bool, dir string) {
	t.Helper()
	dir = t.TempDir()
	out := must(os.Create(filepath.Join(dir, "said")))
	defer out.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestEveryWriteChild$", "-test.count=1")
	child.Env = append(os.Environ(), everyDir+"="+filepath.Join(dir, "store"))
	made, ended = traceUntil(t, child, out, last)
	return made, ended, dir
}
