package member_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// Many lanes at once, with readers between them, and many who want the same place:
// one of them gets it.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	s := w.stores[0]
	var lanes []*ledgertest.Lane
	for i := range 4 {
		lanes = append(lanes, w.device(fmt.Sprint("device ", i)))
	}
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for _, l := range lanes {
		writers.Go(func() {
			for range 5 {
				compete(t, w, l)
			}
		})
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					readAll(t, w, l.Key.Public())
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	for _, l := range lanes {
		if links := must(s.Links(w.id(), l.Key.Public(), 1, 10)); len(links) != 5 {
			t.Errorf("%d links", len(links))
		}
	}
}

// compete proposes several entries for one place at once. One is voted for, and
// certified.
func compete(t *testing.T, w *world, l *ledgertest.Lane) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var chosen []ledgertest.Step
	for i := range 3 {
		step := l.Snapshot(fmt.Sprint(l.Height, i), 1)
		wg.Go(func() {
			_, err := w.propose(0, step)
			if err != nil && !errors.Is(err, member.ErrLocked) {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				chosen = append(chosen, step)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(chosen) != 1 {
		t.Errorf("%d votes at one place", len(chosen))
		return
	}
	if _, err := w.stores[0].Certify(w.id(), w.vault.Certificate(chosen[0])); err != nil {
		t.Error(err)
	}
	l.Advance(chosen[0])
}

func readAll(t *testing.T, w *world, lane ident.PublicKey) {
	s := w.stores[0]
	links, err := s.Links(w.id(), lane, 1, 10)
	if err != nil {
		t.Error(err)
	}
	for _, p := range links {
		e := must(ledger.VerifyEntry(must(ledger.ParseLink(p)).Entry))
		if _, err := s.Body(w.id(), e.Body); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Heads(w.id(), [16]byte{}); err != nil {
		t.Error(err)
	}
	if _, ok := s.Grant(w.id(), lane); !ok {
		t.Error("no grant")
	}
}

// Law: whatever a lying writer sends to whom in which order, and whatever messages
// are lost, no two entries are certified at one place, and what a quorum has
// acknowledged all of them can read. One member of four lies: it votes for
// everything.
func TestNoForks(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, 4)
	lane := w.device("liar")
	const liar = 3
	certified := map[int64]ident.CID{}
	for height := int64(1); height <= 6; height++ {
		steps := []ledgertest.Step{lane.Snapshot("x", 1), lane.Snapshot("y", 1)}
		votes := make([]map[int]ident.Signed, len(steps))
		for i := range steps {
			votes[i] = map[int]ident.Signed{liar: w.vault.Members[liar].VoteFor(steps[i], ledgertest.Start())}
		}
		for range 8 {
			i, m := random.IntN(len(steps)), random.IntN(3)
			if vote, err := w.propose(m, steps[i]); err == nil {
				votes[i][m] = vote
			} else if !errors.Is(err, member.ErrLocked) {
				t.Fatal(err)
			}
		}
		for i, step := range steps {
			var all []ident.Signed
			for _, v := range votes[i] {
				all = append(all, v)
			}
			cert, err := ledger.NewCertificate(all, w.vault.Charter)
			if err != nil {
				wantErr(t, err, ledger.ErrNoQuorum)
				continue
			}
			if was, ok := certified[height]; ok && was != step.Entry.CID() {
				t.Fatalf("two certificates at height %d", height)
			}
			certified[height] = step.Entry.CID()
			for m := range 3 {
				if _, err := w.stores[m].Certify(w.id(), cert); err != nil {
					wantErr(t, err, member.ErrUnknownEntry)
					link := ledger.Link{V: 1, Entry: step.Signed, Cert: cert, Body: step.Body}
					if err := w.stores[m].Adopt(w.id(), link); err != nil {
						t.Fatal(err)
					}
				}
			}
			lane.Advance(step)
		}
		if _, ok := certified[height]; !ok {
			// The votes are split: TestSplitVotes shows how the lane goes on.
			break
		}
		if random.IntN(3) == 0 {
			w.reopen(random.IntN(3))
		}
	}
	for m := range 3 {
		for height, entry := range certified {
			links := must(w.stores[m].Links(w.id(), lane.Key.Public(), height, 1))
			if len(links) != 1 || must(ledger.ParseLink(links[0])).Entry.CID() != entry {
				t.Errorf("member %d, height %d: not the entry that was certified", m, height)
			}
		}
	}
}
