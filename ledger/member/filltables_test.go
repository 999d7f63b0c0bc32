package member

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// age makes the database of a closed store what it was before who holds what was kept with
// it: later receipts are filed without their operators and are in no order.
func (s *solo) age() {
	s.t.Helper()
	db, err := bolt.Open(filepath.Join(s.cfg.Dir, databaseName), 0o600, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		x := index{b: tx.Bucket(s.vault.ID().Bytes())}
		for _, name := range []string{movesBucket, pulledBucket, tablesBucket, holdersBucket, contestedBucket} {
			if err := x.b.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
		shorter := func(name string, change func(k, v []byte) ([]byte, []byte)) error {
			rows := map[string][]byte{}
			err := x.bucket(name).ForEach(func(k, v []byte) error {
				key, value := change(k, v)
				rows[string(key)] = bytes.Clone(value)
				return nil
			})
			if err == nil {
				err = x.empty(name)
			}
			for k, v := range rows {
				if err == nil {
					err = x.put(name, []byte(k), v)
				}
			}
			return err
		}
		err := shorter(placementsBucket, func(k, v []byte) ([]byte, []byte) { return k[:placementShard], v })
		if err == nil {
			err = shorter(receiptsBucket, func(k, v []byte) ([]byte, []byte) { return k, v[:8] })
		}
		if err == nil {
			err = x.bucket(aboutBucket).Delete([]byte(aboutMoves))
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// A store that was made before gets what it lacks when it is opened: then it says what it
// said.
func TestStoresMadeBefore(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	s.fill()
	open := s.lane.Snapshot("voted for and not certified", 1)
	if _, err := s.store.Propose(s.vault.ID(), open.Proposal, open.Signed, open.Body); err != nil {
		t.Fatal(err)
	}
	before, err := s.store.Custody(s.vault.ID())
	if err != nil {
		t.Fatal(err)
	}
	placed := s.placements()
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.age()
	s.open()
	after, err := s.store.Custody(s.vault.ID())
	if err == nil {
		err = same(after, before)
	}
	if err == nil {
		err = CheckCustody(s.store)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := s.placements(); len(placed) == 0 || !slices.Equal(got, placed) {
		t.Errorf("placements %v, not %v", got, placed)
	}
	// What was open is certified with what it needs.
	s.run(s.lane, open)
	if err := CheckCustody(s.store); err != nil {
		t.Error(err)
	}
}

// The filling may stop after every step, and goes on with the next start.
func TestFillingStops(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	s.fill()
	before, err := s.store.Custody(s.vault.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.age()
	steps := 0
	for done := false; !done; steps++ {
		cfg, err := s.cfg.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		store, err := openDatabase(cfg, filepath.Join(cfg.Dir, databaseName))
		if err == nil {
			err = store.db.Update(complete)
		}
		if err == nil {
			err = store.load()
		}
		if err != nil {
			t.Fatal(err)
		}
		err = store.db.Update(func(tx *bolt.Tx) error {
			f := filler{vault: store.vaults[s.vault.ID()], limit: 1}
			var err error
			done, err = f.step(index{b: tx.Bucket(s.vault.ID().Bytes())})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.open()
	after, err := s.store.Custody(s.vault.ID())
	if err == nil {
		err = same(after, before)
	}
	if err != nil || steps < 3 {
		t.Errorf("after %d steps: %v", steps, err)
	}
}

// A receipt that is damaged when its store is filled is forgotten, and its shards are
// where their commit put them.
func TestFillingLeavesOutWhatIsDamaged(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	s.fill()
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.age()
	names, err := filepath.Glob(filepath.Join(s.cfg.Dir, s.vault.ID().Hex(), "placement", "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if err := os.WriteFile(name, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.open()
	if err := CheckCustody(s.store); err != nil {
		t.Fatal(err)
	}
	list, _, err := s.store.Moves(s.vault.ID(), ledger.MovesCursor{})
	if err != nil || len(list) != 0 {
		t.Errorf("%d moves, %v", len(list), err)
	}
	if got := s.placements(); len(got) != 0 {
		t.Errorf("placements %v", got)
	}
}

// placements are the receipts that are kept of all segments.
func (s *solo) placements() (names []ident.CID) {
	s.t.Helper()
	m, err := s.store.Custody(s.vault.ID())
	if err != nil || m.Len() == 0 {
		s.t.Fatal(m, err)
	}
	for seg := range m.All() {
		list, err := s.store.Placements(s.vault.ID(), seg.CID)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, l := range list {
			names = append(names, l.Receipt.CID())
		}
	}
	return names
}
