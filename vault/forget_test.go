package vault_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/testnet"
	"holdfast/vault"
	"holdfast/vault/guardian"
	"holdfast/vault/keep"
	"holdfast/vault/snapshot"
)

// createWith makes a vault without retention and cooling-off, changed as the test
// wants it.
func createWith(t testing.TB, n *testnet.Network, change func(*vault.Create)) *merchant {
	t.Helper()
	m := emptyMachine(t, n)
	c := vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap()[:1], Trash: time.Hour, Rights: ledger.Full, Device: "machine", Options: m.options(),
		KeepKit: func(k vault.Kit) error { m.kit = k; return nil },
	}
	change(&c)
	if _, _, err := m.home.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return m
}

// synced opens the vault and brings the view of it up to date.
func (m *merchant) synced() *vault.Session {
	m.t.Helper()
	s := m.open()
	if _, err := s.Sync(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *merchant) owner() ident.PrivateKey { return m.kit.Entropy.OwnerKey() }

// writeRandom writes a file that nothing else shares a chunk with.
func writeRandom(t testing.TB, path string, size int) {
	t.Helper()
	p := make([]byte, size)
	rand.Read(p)
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
}

// forget asks for named snapshots and carries out what has passed.
func (m *merchant) forget(s *vault.Session, owner ident.PrivateKey, refs ...string) []vault.Carried {
	m.t.Helper()
	choice, err := s.Choose(m.t.Context(), vault.Forget{Refs: refs})
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := s.Request(m.t.Context(), choice.Unasked(), "a test", owner); err != nil {
		m.t.Fatal(err)
	}
	return m.carryOut(s)
}

// carryOut carries out every request that has passed.
func (m *merchant) carryOut(s *vault.Session) (done []vault.Carried) {
	m.t.Helper()
	cases, err := s.Cases(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	for _, k := range cases {
		if k.State != ledger.StatePassed {
			continue
		}
		one, err := s.CarryOut(m.t.Context(), k)
		if err != nil {
			m.t.Fatal(err)
		}
		done = append(done, one)
	}
	return done
}

func ids(t testing.TB, s *vault.Session) (out []string) {
	t.Helper()
	all, err := s.Snapshots(t.Context(), vault.Filter{Objects: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, snap := range all {
		out = append(out, snap.ID())
	}
	return out
}

// TestForget: a snapshot that was released is not in any list, what others share with
// it stays whole, nothing is stored in what it leaves, and an undo brings it back.
func TestForget(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(*vault.Create) {})
	tree := makeTree(t, 21)
	m.backup(tree)
	extra := filepath.Join(tree, "extra")
	writeRandom(t, extra, 3<<20)
	gone := m.backup(tree) // with segments of its own
	kept, err := os.ReadFile(extra)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	last := m.backup(tree)

	s := m.synced()
	before, err := s.Check(t.Context(), vault.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := m.forget(s, m.owner(), gone.ID()[:8])
	if len(done) != 1 || len(done[0].Releases) != 1 || done[0].Segments == 0 {
		t.Fatalf("carried out: %+v", done)
	}
	if got := ids(t, s); len(got) != 2 || got[1] != last.ID() {
		t.Errorf("snapshots after the release: %v", got)
	}
	if _, err := s.Resolve(t.Context(), gone.ID()[:8], vault.Filter{}); !errors.Is(err, vault.ErrNoSnapshot) {
		t.Errorf("a released snapshot: %v", err)
	}
	after, err := s.Check(t.Context(), vault.CheckOptions{Trees: true})
	if err != nil || !after.Safe() || after.Segments != before.Segments-done[0].Segments || after.Snapshots != 2 {
		t.Errorf("%d segments, %d after %d were released; %+v, %v", before.Segments, after.Segments, done[0].Segments, after, err)
	}
	s.Close()
	if got := ids(t, m.synced()); len(got) != 2 {
		t.Errorf("another session sees %d snapshots", len(got))
	}

	// What comes back is sent again: nothing new is built on what is going.
	if err := os.WriteFile(extra, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if third := m.backup(tree); third.Snapshot.Stats.Added < 3<<20 {
		t.Errorf("%d bytes were stored of a file whose segments are released", third.Snapshot.Stats.Added)
	}
	m.restore("latest", tree)

	s = m.synced()
	k, err := s.Case(t.Context(), done[0].Request.Hex()[:8])
	if err != nil || k.State != ledger.StateCertified || k.Segments != done[0].Segments {
		t.Fatalf("the case: %s, %d segments, %v", k.State, k.Segments, err)
	}
	if count, err := s.Undo(t.Context(), k, ident.PrivateKey{}); err != nil || count != 1 {
		t.Fatalf("undo: %d, %v", count, err)
	}
	if got := ids(t, s); len(got) != 4 {
		t.Errorf("%d snapshots after the undo", len(got))
	}
	if k, err = s.Case(t.Context(), k.ID()); err != nil || k.State != ledger.StateUndone {
		t.Errorf("the case after the undo: %s, %v", k.State, err)
	}
	// The nodes hear of the undo one after the other, and take the shards out of their
	// trash.
	eventually(t, "the bytes are there again", func() bool {
		var back bytes.Buffer
		err := m.dump(s, gone.ID(), extra, &back)
		return err == nil && bytes.Equal(back.Bytes(), kept)
	})
}

// dump writes one file of a snapshot.
func (m *merchant) dump(s *vault.Session, id, path string, w io.Writer) error {
	snap, err := s.Resolve(m.t.Context(), id, vault.Filter{})
	if err != nil {
		return err
	}
	v, err := s.Read(m.t.Context(), snap, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	return snapshot.Dump(m.t.Context(), v, snap.Info.Root, path, w)
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestForgetEmptyMachine: who recovers does not see what was released either, although
// nothing on the machine remembers it.
func TestForgetEmptyMachine(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(*vault.Create) {})
	tree := makeTree(t, 22)
	first := m.backup(tree)
	second := m.backup(tree)
	s := m.synced()
	if done := m.forget(s, m.owner(), first.ID()); len(done) != 1 {
		t.Fatalf("carried out: %+v", done)
	}
	s.Close()
	empty := emptyMachine(t, n)
	if _, err := empty.home.Claim(t.Context(), vault.Claim{Kit: m.kit, Name: "shop", Rights: ledger.Read, Device: "empty", Options: empty.options()}); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, empty.synced()); len(got) != 1 || got[0] != second.ID() {
		t.Errorf("an empty machine sees %v", got)
	}
	empty.restore("latest", tree)
}

// TestForgetByPolicy chooses by the policy, asks for nothing twice, and says so.
func TestForgetByPolicy(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(c *vault.Create) { c.Cooling = time.Hour })
	tree := makeTree(t, 23)
	for range 3 {
		m.backup(tree)
	}
	s := m.synced()
	f := vault.Forget{Policy: keep.Policy{Last: 1}}
	choice, err := s.Choose(t.Context(), f)
	if err != nil || len(choice.Leave) != 2 || len(choice.Unasked()) != 2 || len(choice.Groups) != 1 {
		t.Fatalf("choice: %+v, %v", choice, err)
	}
	if _, err := s.Request(t.Context(), choice.Unasked(), "", ident.PrivateKey{}); !errors.Is(err, vault.ErrNeedsOwner) {
		t.Errorf("a device asks without guardians: %v", err)
	}
	asked, err := s.Request(t.Context(), choice.Unasked(), "", m.owner())
	if err != nil || len(asked) != 1 || asked[0].Kind != ledger.RequestRelease || asked[0].Targets != 2 || asked[0].Kept != 4 {
		t.Fatalf("asked: %+v, %v", asked, err)
	}
	choice, err = s.Choose(t.Context(), f)
	if err != nil || len(choice.Leave) != 2 || len(choice.Unasked()) != 0 || len(choice.Asked) != 2 {
		t.Errorf("choice after the request: %+v, %v", choice, err)
	}
	if done := m.carryOut(s); len(done) != 0 || len(ids(t, s)) != 3 {
		t.Errorf("carried out in the cooling-off: %+v", done)
	}
	open, err := s.OpenCases(t.Context())
	if err != nil || len(open) != 1 || open[0].State != ledger.StateCooling {
		t.Fatalf("open: %+v, %v", open, err)
	}
	if kept, err := s.Opine(t.Context(), open[0], ledger.Veto, ident.PrivateKey{}); err != nil || kept != 4 {
		t.Errorf("the device's veto: %d, %v", kept, err)
	}
	if open, err = s.OpenCases(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("open after the veto: %+v, %v", open, err)
	}
	choice, err = s.Choose(t.Context(), f)
	if err != nil || len(choice.Refused) != 2 || len(choice.Unasked()) != 0 {
		t.Errorf("a policy asks again after a veto: %+v, %v", choice, err)
	}
	choice, err = s.Choose(t.Context(), vault.Forget{Refs: []string{choice.Leave[0].ID()}})
	if err != nil || len(choice.Unasked()) != 1 {
		t.Errorf("a person asks again after a veto: %+v, %v", choice, err)
	}
}

// TestRoutineExpiry: what the charter has agreed to goes at once, on the word of a
// device, and the rest waits for the owner.
func TestRoutineExpiry(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(c *vault.Create) { c.Expiry = ledger.Expiry{After: 1, Newer: 2} })
	tree := makeTree(t, 24)
	var made []string
	for range 4 {
		made = append(made, m.backup(tree).ID())
	}
	s := m.synced()
	old := time.Now().Add(2 * time.Second) // the members' clocks are this one's
	eventually(t, "the snapshots are old enough", func() bool { return time.Now().After(old) })
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	choice, err := s.Choose(t.Context(), vault.Forget{Refs: made[:2]})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := s.Request(t.Context(), choice.Unasked(), "", ident.PrivateKey{})
	if err != nil || len(asked) != 1 || asked[0].Kind != ledger.RequestExpiry {
		t.Fatalf("asked: %+v, %v", asked, err)
	}
	if done := m.carryOut(s); len(done) != 1 {
		t.Fatalf("carried out: %+v", done)
	}
	if got := ids(t, s); len(got) != 2 {
		t.Errorf("%d snapshots are left", len(got))
	}
	choice, err = s.Choose(t.Context(), vault.Forget{Refs: made[2:3]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Request(t.Context(), choice.Unasked(), "", ident.PrivateKey{}); !errors.Is(err, vault.ErrNeedsOwner) {
		t.Errorf("a snapshot with one newer one of two: %v", err)
	}
}

// TestGuardians: guardians on machines that know nothing but the vault's ID approve,
// and one of them vetoes.
func TestGuardians(t *testing.T) {
	n := newNetwork(t, 4, 4)
	var keys []guardian.Key
	m := createWith(t, n, func(c *vault.Create) {
		for _, name := range []string{"anna", "ben", "cleo"} {
			k, err := guardian.Generate(name)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k)
			c.Guardians = append(c.Guardians, k.Public())
		}
	})
	tree := makeTree(t, 25)
	first, second := m.backup(tree), m.backup(tree)
	s := m.synced()
	if done := m.forget(s, ident.PrivateKey{}, first.ID()); len(done) != 0 {
		t.Fatalf("carried out without approvals: %+v", done)
	}
	where := vault.Lookup{Vault: s.Vault(), Bootstrap: n.Bootstrap()[1:2], Options: m.options()}
	opine := func(k guardian.Key, stance ledger.Stance) vault.Case {
		t.Helper()
		v, err := where.Visit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		cases, err := v.Cases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := v.Opine(t.Context(), cases[0], stance, k.Approval); err != nil || kept != 4 {
			t.Fatalf("%s by %s: %d, %v", stance, k.Name, kept, err)
		}
		c, err := v.Case(t.Context(), cases[0].ID()[:8])
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if k := opine(keys[0], ledger.Approve); k.State != ledger.StateRequested || k.Why != "1 of 2 approvals" {
		t.Errorf("one approval: %s, %s", k.State, k.Why)
	}
	if k := opine(keys[1], ledger.Approve); k.State != ledger.StatePassed {
		t.Errorf("two approvals: %s, %s", k.State, k.Why)
	}
	if done := m.carryOut(s); len(done) != 1 {
		t.Fatalf("carried out: %+v", done)
	}
	if got := ids(t, s); len(got) != 1 || got[0] != second.ID() {
		t.Errorf("snapshots: %v", got)
	}
	m.backup(tree)
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done := m.forget(s, ident.PrivateKey{}, second.ID()); len(done) != 0 {
		t.Fatalf("carried out without approvals: %+v", done)
	}
	opine(keys[0], ledger.Approve)
	opine(keys[1], ledger.Approve)
	if k := opine(keys[2], ledger.Veto); k.State != ledger.StateVetoed {
		t.Errorf("a veto: %s, %s", k.State, k.Why)
	}
	if done := m.carryOut(s); len(done) != 0 || len(ids(t, s)) != 2 {
		t.Errorf("carried out after a veto: %+v", done)
	}
}

// TestReleasedMeanwhile: while a backup runs, the snapshot is released whose segments
// it counts on. It sends again what they hold, in the same run, and is whole.
func TestReleasedMeanwhile(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(*vault.Create) {})
	tree := makeTree(t, 26)
	m.backup(tree)
	extra := filepath.Join(tree, "extra")
	writeRandom(t, extra, 3<<20)
	gone := m.backup(tree)
	aside := filepath.Join(t.TempDir(), "extra")
	for _, way := range [][2]string{{extra, aside}, {aside, extra}} {
		if err := os.Rename(way[0], way[1]); err != nil {
			t.Fatal(err)
		}
		if way[0] == extra {
			m.backup(tree)
		}
	}
	release := func() {
		s := m.synced()
		defer s.Close()
		if done := m.forget(s, m.owner(), gone.ID()); len(done) != 1 || done[0].Segments == 0 {
			t.Errorf("carried out: %+v", done)
		}
	}
	s := m.open()
	if _, err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	r, err := s.Backup(t.Context(), vault.Backup{Paths: []string{tree}, Program: "test", Archive: snapshot.ArchiveOptions{
		Progress: func(snapshot.Event) { once.Do(release) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Snapshot.Stats.Added < 3<<20 {
		t.Errorf("%d bytes were sent again", r.Snapshot.Stats.Added)
	}
	s.Close()
	m.restore("latest", tree)
	if h, err := m.synced().Check(t.Context(), vault.CheckOptions{Trees: true}); err != nil || !h.Safe() {
		t.Errorf("after it: %+v, %v", h, err)
	}
}

// TestStreamReleasedMeanwhile: a stream cannot be read again. It makes no snapshot, says
// why, and the next run sends everything.
func TestStreamReleasedMeanwhile(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(*vault.Create) {})
	data := make([]byte, 3<<20)
	rand.Read(data)
	m.backup(makeTree(t, 27))
	stream := func(s *vault.Session, r io.Reader) (vault.Result, error) {
		t.Helper()
		if _, err := s.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.Backup(t.Context(), vault.Backup{Name: "dump", Stream: r, Program: "test"})
	}
	s := m.open()
	gone, err := stream(s, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = m.open()
	_, err = stream(s, io.MultiReader(bytes.NewReader(data), onRead(func() {
		other := m.synced()
		defer other.Close()
		m.forget(other, m.owner(), gone.ID())
	})))
	if !errors.Is(err, vault.ErrReleased) {
		t.Fatalf("a stream that counts on what is released meanwhile: %v", err)
	}
	r, err := stream(s, bytes.NewReader(data))
	if err != nil || r.Snapshot.Stats.Added < int64(len(data)) {
		t.Errorf("the next run: %d bytes, %v", r.Snapshot.Stats.Added, err)
	}
}

// onRead is a stream without bytes that does something when it is read.
type onRead func()

func (f onRead) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// TestStreamBuildsOnNothingThatMayGo: a request has passed and nobody has carried it out
// yet: a stream counts on nothing that it may take.
func TestStreamBuildsOnNothingThatMayGo(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(*vault.Create) {})
	data := make([]byte, 3<<20)
	rand.Read(data)
	m.backup(makeTree(t, 28))
	s := m.open()
	var last vault.Result
	for i := range 2 {
		if _, err := s.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		var err error
		if last, err = s.Backup(t.Context(), vault.Backup{Name: "dump", Stream: bytes.NewReader(data), Program: "test"}); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			break
		}
		choice, err := s.Choose(t.Context(), vault.Forget{Refs: []string{last.ID()}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Request(t.Context(), choice.Unasked(), "", m.owner()); err != nil {
			t.Fatal(err)
		}
	}
	if last.Snapshot.Stats.Added < int64(len(data)) {
		t.Errorf("%d bytes were stored again", last.Snapshot.Stats.Added)
	}
	if done := m.carryOut(s); len(done) != 1 || done[0].Segments == 0 {
		t.Errorf("carried out: %+v", done)
	}
}

// TestErased: when the trash time is over too, the bytes are gone from every node's
// disk, and what stays is whole.
func TestErased(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createWith(t, n, func(c *vault.Create) { c.Trash = time.Second })
	tree := makeTree(t, 29)
	m.backup(tree)
	extra := filepath.Join(tree, "extra")
	writeRandom(t, extra, 3<<20)
	gone := m.backup(tree)
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	m.backup(tree)
	before := bytesOnDisk(t, n)
	s := m.synced()
	done := m.forget(s, m.owner(), gone.ID())
	if len(done) != 1 || done[0].Segments == 0 {
		t.Fatalf("carried out: %+v", done)
	}
	// Half of what is stored is parity: every segment of the file takes twice its size.
	eventually(t, "the nodes have erased what was released", func() bool { return bytesOnDisk(t, n) <= before-2*3<<20 })
	if h, err := s.Check(t.Context(), vault.CheckOptions{ReadData: 1, Trees: true}); err != nil || !h.Safe() || h.Present != h.Shards {
		t.Errorf("what stays: %+v, %v", h, err)
	}
	s.Close()
	m.restore("latest", tree)
}

// bytesOnDisk counts what all nodes' folders hold in large files: shards, in the trash
// or not.
func bytesOnDisk(t testing.TB, n *testnet.Network) (total int64) {
	t.Helper()
	for _, name := range n.Names() {
		err := filepath.WalkDir(n.NodeDir(name), func(path string, d os.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil // it has just been erased
			}
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil && filepath.Ext(path) != ".db" {
				total += info.Size()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return total
}
