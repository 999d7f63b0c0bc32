package vault_test

import (
	"fmt"
	"sync"
	"testing"

	"holdfast/ledger"
	"holdfast/vault"
	"holdfast/vault/snapshot"
)

// Two devices add to one vault at the same time, each in its own lane, and restores
// run beside each other: nobody waits for, or harms, anybody.
func TestTogether(t *testing.T) {
	n := newNetwork(t, 4, 4)
	owner := createVault(t, n)
	other := emptyMachine(t, n)
	if _, err := other.home.Claim(t.Context(), vault.Claim{Kit: owner.kit, Name: "shop", Rights: ledger.Full, Device: "other", Enrol: true, Options: other.options()}); err != nil {
		t.Fatal(err)
	}
	trees := []string{makeTree(t, 11), makeTree(t, 12)}
	ids := make([]string, len(trees))
	together(t, len(trees), func(i int) error {
		m := []*merchant{owner, other}[i]
		s, err := m.home.Open(t.Context(), "shop", m.options())
		if err != nil {
			return err
		}
		defer s.Close()
		for range 3 {
			if _, err := s.Begin(t.Context()); err != nil {
				return err
			}
			r, err := s.Backup(t.Context(), vault.Backup{Paths: []string{trees[i]}, Program: "test"})
			if err != nil {
				return err
			}
			if !r.Complete() {
				return fmt.Errorf("incomplete: %+v", r.Durability)
			}
			ids[i] = r.ID()
		}
		return nil
	})
	s := owner.open()
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := s.Snapshots(t.Context(), vault.Filter{})
	if err != nil || len(all) != 6 {
		t.Fatalf("%d snapshots, %v", len(all), err)
	}
	s.Close()
	together(t, 4, func(i int) error { return restoreInto(t, owner, ids[i%2], t.TempDir()) })
	owner.restore(ids[0], trees[0])
	owner.restore(ids[1], trees[1])
}

// together runs f for every i below n at once.
func together(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if err := f(i); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	group.Wait()
}

func restoreInto(t *testing.T, m *merchant, ref, target string) error {
	s, err := m.home.Open(t.Context(), "shop", m.options())
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Sync(t.Context()); err != nil {
		return err
	}
	snap, err := s.Resolve(t.Context(), ref, vault.Filter{})
	if err != nil {
		return err
	}
	v, err := s.Read(t.Context(), snap, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	r := snapshot.Restorer{Source: v, Options: snapshot.RestoreOptions{Target: target}}
	sum, err := r.Restore(t.Context(), snap.Info.Root, "/")
	if err == nil && (sum.Failed > 0 || sum.Files != snap.Info.Stats.Files) {
		err = fmt.Errorf("%d of %d files, %d failed", sum.Files, snap.Info.Stats.Files, sum.Failed)
	}
	return err
}
