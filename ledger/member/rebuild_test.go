package member

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// solo is one member of a vault, and the lanes of the others' making.
type solo struct {
	t     testing.TB
	vault *ledgertest.Vault
	cfg   Config
	store *Store
	owner *ledgertest.Lane
	lane  *ledgertest.Lane
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newSolo(t testing.TB) *solo { return newSoloOf(t, 4) }

func newSoloOf(t testing.TB, members int) *solo {
	t.Helper()
	v := ledgertest.NewVault("rebuild", members)
	m := v.Members[0]
	s := &solo{t: t, vault: v, owner: v.OwnerLane(), lane: v.Lane(ledgertest.Key("laptop")), cfg: Config{
		Dir: t.TempDir(), Operator: m.Operator.Public(), Node: m.Node.Public(), Vote: m.Vote, Now: ledgertest.Start,
	}}
	s.open()
	if _, err := s.store.Accept(v.Signed); err != nil {
		t.Fatal(err)
	}
	s.run(s.owner, s.owner.Enrol(v.Grant(s.lane.Key, ledger.Append)))
	return s
}

func (s *solo) open() {
	s.t.Helper()
	store, err := Open(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.store = store
	s.t.Cleanup(func() { store.Close() })
}

func (s *solo) run(l *ledgertest.Lane, step ledgertest.Step) {
	s.t.Helper()
	if _, err := s.store.Propose(s.vault.ID(), step.Proposal, step.Signed, step.Body); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.store.Certify(s.vault.ID(), s.vault.Certificate(step)); err != nil {
		s.t.Fatal(err)
	}
	l.Advance(step)
}

// fill makes a vault with everything in it: snapshots with full sets and deltas,
// voted for and adopted, devices that came and went, later placements.
func (s *solo) fill() {
	s.t.Helper()
	for i := range 5 {
		c := s.lane.Commit(fmt.Sprint("snapshot ", i), 2)
		if i%2 == 1 {
			fresh := ledger.Spans{{First: s.lane.Count, Count: 2}}
			c.Refs = s.lane.Set.With(s.lane.Key.Public(), ident.CID{}, fresh).Since(s.lane.Set)
		}
		step := s.lane.Finish(c)
		if i == 3 {
			if err := s.store.Adopt(s.vault.ID(), s.vault.LinkOf(step, 0, 1, 2, 3)); err != nil {
				s.t.Fatal(err)
			}
			s.lane.Advance(step)
			continue
		}
		s.run(s.lane, step)
	}
	other := ledgertest.Key("other")
	s.run(s.owner, s.owner.Enrol(s.vault.Grant(other, ledger.Full)))
	s.run(s.owner, s.owner.Revoke(other.Public()))
	s.place()
}

func (s *solo) place() {
	s.t.Helper()
	var shards []ledger.ReceiptShard
	err := s.store.vaults[s.vault.ID()].read(func(x index) error {
		return x.bucket(segmentsBucket).ForEach(func(k, v []byte) error {
			if len(shards) < 2 {
				shards = append(shards, ledger.ReceiptShard{Segment: must(ident.CIDFromBytes(k)), Shard: firstShard(v)})
			}
			return nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	m, when := s.vault.Members[2], ledger.Millis(ledgertest.Start())
	receipt := must(ledger.SignReceipt(m.Vote, ledger.Receipt{
		Vault: s.vault.ID(), Charter: s.vault.Charter.CID(), Device: s.lane.Key.Public(), Node: m.Node.Public(),
		Shards: shards, Time: when, Until: when + 8*24*3600*1000,
	}))
	if err := s.store.AddPlacement(s.vault.ID(), receipt, m.Certificate); err != nil {
		s.t.Fatal(err)
	}
}

// dump returns what follows from the files, as text.
func (s *solo) dump() map[string]string {
	s.t.Helper()
	out := make(map[string]string)
	err := s.store.vaults[s.vault.ID()].read(func(x index) error {
		for _, name := range bucketNames() {
			err := x.bucket(name).ForEach(func(k, v []byte) error {
				if x.fromFiles(name, k) {
					out[fmt.Sprintf("%s %x", name, k)] = fmt.Sprintf("%x", v)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// fromFiles says which rows a rebuild brings back: all but locks, what is only
// locked, and what the database knows about itself.
func (x index) fromFiles(name string, key []byte) bool {
	certified := func(id []byte) bool {
		_, ok, err := x.certified(must(ident.CIDFromBytes(id)))
		return ok && err == nil
	}
	switch name {
	case locksBucket, floorsBucket, proposalsBucket, evidenceBucket, heldBucket, unsettledBucket:
		return false
	case entriesBucket, refsBucket, tablesBucket:
		return certified(key)
	case bodiesBucket:
		return certified(x.get(bodiesBucket, key))
	case segmentsBucket:
		return certified(x.get(segmentsBucket, key)[:ident.CIDSize])
	case aboutBucket:
		return string(key) == aboutCharter || string(key) == aboutEntries
	}
	return true
}

func (s *solo) rebuild() Rebuilt {
	s.t.Helper()
	found, err := Rebuild(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.open()
	return found
}

// Everything but the locks comes back from the files, and nothing is signed any more
// under the vote key whose locks are lost.
func TestRebuild(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	s.fill()
	open := s.lane.Snapshot("voted for and never certified", 1)
	if _, err := s.store.Propose(s.vault.ID(), open.Proposal, open.Signed, open.Body); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Settle(); err != nil {
		t.Fatal(err)
	}
	before := s.dump()
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.cfg.Dir, databaseName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.cfg); !errors.Is(err, ErrNoIndex) {
		t.Fatalf("opened without a database: %v", err)
	}
	found := s.rebuild()
	if found.Vaults != 1 || found.Entries != 8 || found.Placements != 1 || len(found.Skipped) != 0 {
		t.Errorf("%+v", found)
	}
	after := s.dump()
	for k, v := range before {
		if after[k] != v {
			t.Errorf("%s: %s, was %s", k, after[k], v)
		}
		delete(after, k)
	}
	if len(after) != 0 || len(before) < 40 {
		t.Errorf("%d rows more, %d before", len(after), len(before))
	}
	s.refusesToSign(open)
	if err := s.store.Adopt(s.vault.ID(), s.vault.Link(open)); err != nil {
		t.Errorf("adopts no more: %v", err)
	}
	if _, err := s.store.Body(s.vault.ID(), open.Entry.Body); err != nil {
		t.Errorf("serves no more: %v", err)
	}
}

func (s *solo) refusesToSign(step ledgertest.Step) {
	s.t.Helper()
	id := s.vault.ID()
	_, propose := s.store.Propose(id, step.Proposal, step.Signed, step.Body)
	_, certify := s.store.Certify(id, s.vault.Certificate(step))
	_, heads := s.store.Heads(id, [16]byte{})
	_, segments := s.store.Segments(id, [16]byte{}, nil)
	_, accept := s.store.Accept(s.vault.Signed)
	for what, err := range map[string]error{"propose": propose, "certify": certify, "heads": heads, "segments": segments, "accept": accept} {
		if !errors.Is(err, ErrForgotten) {
			s.t.Errorf("%s after the locks were lost: %v", what, err)
		}
	}
}

// Files that are damaged are left out, with all that follows them in their lane;
// the rest comes back, and so do they by Adopt.
func TestRebuildLeavesOutWhatIsDamaged(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	var steps []ledgertest.Step
	for i := range 4 {
		step := s.lane.Snapshot(fmt.Sprint(i), 1)
		s.run(s.lane, step)
		steps = append(steps, step)
	}
	whole := s.dump()
	s.store.Close()
	v := vaultDir(s.cfg.Dir, s.vault.ID())
	if err := os.WriteFile(v.entryPath(steps[2].Entry.CID()), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(v.entry, "stray"), filepath.Join(v.entry, strings.Repeat("0", 64)), filepath.Join(s.cfg.Dir, strings.Repeat("1", 64))} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	found := s.rebuild()
	if found.Vaults != 1 || found.Entries != 3 || len(found.Skipped) < 3 {
		t.Errorf("%+v", found)
	}
	for _, step := range steps[2:] {
		if err := s.store.Adopt(s.vault.ID(), s.vault.Link(step)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.dump(); len(got) != len(whole) {
		t.Errorf("%d rows, %d before", len(got), len(whole))
	}
}

// Entries get among the files now and then, and are put right there after a stop
// that was not clean.
func TestSettle(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	v := s.store.vaults[s.vault.ID()]
	for i := range settleAt - 2 {
		s.run(s.lane, s.lane.Snapshot(fmt.Sprint(i), 1))
	}
	if v.unsettled != settleAt-1 {
		t.Errorf("%d unsettled", v.unsettled)
	}
	s.run(s.lane, s.lane.Snapshot("one more", 1))
	s.store.behind.Wait()
	if v.unsettled != 0 || v.settling {
		t.Errorf("%d unsettled after %d certificates", v.unsettled, settleAt)
	}
	last := s.lane.Snapshot("last", 1)
	s.run(s.lane, last)
	path := v.dirs.entryPath(s.lane.Head)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the last entry is among the files at once: %v", err)
	}
	// The process ends without Close while it writes the file.
	if err := s.store.db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, last.Body[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(v.dirs.entry, ".x.1.tmp")
	if err := os.WriteFile(temp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.open()
	if want := must(s.vault.Link(last).Encode()); !bytes.Equal(must(os.ReadFile(path)), want) {
		t.Error("the file was not put right")
	}
	if _, held, err := s.store.vaults[s.vault.ID()].heldEntry(last.Entry.CID()); err != nil || held {
		t.Errorf("the database still holds the body: %v, %v", held, err)
	}
	if _, err := os.Stat(temp); err == nil {
		t.Error("a temporary file is left")
	}
	if n := s.store.vaults[s.vault.ID()].unsettled; n != 0 {
		t.Errorf("%d unsettled", n)
	}
}

// The number of devices is limited; those that are known may get new grants.
func TestMaxDevices(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	v := s.store.vaults[s.vault.ID()]
	err := v.write(func(x index) error {
		for i := range MaxDevices - 1 {
			if err := x.put(grantsBucket, number(int64(i)), []byte{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	step := s.owner.Enrol(s.vault.Grant(ledgertest.Key("one too many"), ledger.Append))
	if _, err := s.store.Propose(s.vault.ID(), step.Proposal, step.Signed, step.Body); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	s.run(s.owner, s.owner.Enrol(s.vault.Grant(s.lane.Key, ledger.Full)))
}

// A lock is never changed, whoever asks the database for it.
func TestLocksStay(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	v := s.store.vaults[s.vault.ID()]
	place := s.lane.Snapshot("x", 1).Propose().Place
	first := lock{ident.SumDagCBOR([]byte("a")), 5}
	put := func(l lock) error { return v.write(func(x index) error { return x.putLock(place, l) }) }
	if err := errors.Join(put(first), put(first)); err != nil {
		t.Fatal(err)
	}
	for _, l := range []lock{{ident.SumDagCBOR([]byte("b")), 5}, {first.entry, 6}} {
		if err := put(l); !errors.Is(err, ErrLocked) {
			t.Errorf("%v", err)
		}
	}
}

// Unknown versions of the database are refused.
func TestDatabaseVersion(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	err := s.store.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(storeBucket)).Put([]byte(storeVersion), []byte{9})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.store.db.Close()
	if _, err := Open(s.cfg); err == nil || !strings.Contains(err.Error(), "version 09") {
		t.Errorf("%v", err)
	}
}

func firstShard(row []byte) ident.CID {
	d := must(erasure.ParseDescriptor(row[introductionHead:]))
	return d.Shards[0]
}
