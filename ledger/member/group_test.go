package member

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// transactions returns how many changes of the database have had a flush of their own.
func (s *Store) transactions(t testing.TB) int {
	t.Helper()
	var n int
	if err := s.db.View(func(tx *bolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// waitFor returns when so many changes wait for their turn.
func (g *group) waitFor(n int) {
	for {
		g.mu.Lock()
		have := len(g.queue)
		g.mu.Unlock()
		if have == n {
			return
		}
		runtime.Gosched()
	}
}

// Changes that come while one is written share the next flush, whosever they are. One
// that is refused, or that fails half way, leaves nothing behind and harms no other.
func TestGroup(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	v := s.store.vaults[s.vault.ID()]
	before := s.store.transactions(t)
	const n = 12
	no := errors.New("no")
	var wg sync.WaitGroup
	errs := make([]error, n)
	s.store.group.turn.Lock()
	for i := range n {
		key := fmt.Appendf(nil, "group %d", i)
		wg.Go(func() {
			errs[i] = v.change(func(index) error {
				if i == 3 {
					return no
				}
				return nil
			}, func(x index) error {
				if err := x.put(aboutBucket, key, number(int64(i))); err != nil || i != 7 {
					return err
				}
				return no
			})
		})
	}
	s.store.group.waitFor(n)
	s.store.group.turn.Unlock()
	wg.Wait()
	for i, err := range errs {
		if want := i == 3 || i == 7; errors.Is(err, no) != want {
			t.Errorf("change %d: %v", i, err)
		}
		err := v.read(func(x index) error {
			if kept := x.get(aboutBucket, fmt.Appendf(nil, "group %d", i)) != nil; kept != (errs[i] == nil) {
				t.Errorf("change %d: %v, kept %v", i, errs[i], kept)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if used := s.store.transactions(t) - before; used != 1 {
		t.Errorf("%d flushes", used)
	}
}

// Votes in many lanes share a flush. Two proposals for one place that wait for the same
// flush get one vote.
func TestVotesShareAFlush(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	lanes := []*ledgertest.Lane{s.lane}
	for i := range 3 {
		l := s.vault.Lane(ledgertest.Key(fmt.Sprint("lane ", i)))
		s.run(s.owner, s.owner.Enrol(s.vault.Grant(l.Key, ledger.Append)))
		lanes = append(lanes, l)
	}
	var steps []ledgertest.Step
	for _, l := range lanes {
		steps = append(steps, l.Snapshot("one", 1), l.Snapshot("two", 1))
	}
	before := s.store.transactions(t)
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	s.store.group.turn.Lock()
	for i, step := range steps {
		wg.Go(func() {
			_, errs[i] = s.store.Propose(s.vault.ID(), step.Proposal, step.Signed, step.Body)
		})
	}
	s.store.group.waitFor(len(steps))
	s.store.group.turn.Unlock()
	wg.Wait()
	for i := 0; i < len(steps); i += 2 {
		if (errs[i] == nil) == (errs[i+1] == nil) || !errors.Is(errors.Join(errs[i], errs[i+1]), ErrLocked) {
			t.Errorf("lane %d: %v, %v", i/2, errs[i], errs[i+1])
		}
	}
	// One for the votes, and at most one each for the evidence.
	if used := s.store.transactions(t) - before; used > 1+len(lanes) {
		t.Errorf("%d flushes", used)
	}
}
