package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/testnet"
	"holdfast/vault"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// checkpoints notes which checkpoints a run has made.
type checkpoints struct {
	mu   sync.Mutex
	made []vault.Snapshot
	then func(made int) // called after each; may be nil
	more chan struct{}  // one for each; see pace
}

// pace makes the reading of files wait for a checkpoint after every so many, until
// the context ends. So many, less those that other workers have read by then, have to
// be enough for one.
func (c *checkpoints) pace(ctx context.Context, every int) func(snapshot.Event) {
	c.more = make(chan struct{}, 1000)
	files := 0
	return func(e snapshot.Event) {
		if e.Type != snapshot.File || e.Action != snapshot.Done {
			return
		}
		if files++; files%every == 0 {
			select {
			case <-c.more:
			case <-ctx.Done():
			}
		}
	}
}

func (c *checkpoints) note(s vault.Snapshot) {
	c.mu.Lock()
	c.made = append(c.made, s)
	n := len(c.made)
	c.mu.Unlock()
	if c.then != nil {
		c.then(n)
	}
	if c.more != nil {
		c.more <- struct{}{}
	}
}

// run backs up with small checkpoints. Every session is a new one, as after a crash.
func (m *merchant) run(ctx context.Context, b vault.Backup, c *checkpoints) (vault.Result, error) {
	m.t.Helper()
	s := m.open()
	defer s.Close()
	if _, err := s.Begin(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	if b.CheckpointBytes == 0 {
		b.CheckpointBytes = 1 << 20
	}
	b.Program = "test"
	if c != nil {
		b.Checkpoint = c.note
	}
	return s.Backup(ctx, b)
}

// used is how many bytes of shards the nodes hold.
func (m *merchant) used() int64 {
	m.t.Helper()
	var n int64
	for _, s := range m.net.Status(m.t.Context()) {
		if s.Status != nil {
			n += s.Status.Used
		}
	}
	return n
}

// view opens a snapshot for reading. Whoever goes on closes the session: a second one
// would wait for its index.
func (m *merchant) view(ref string) (*vault.Session, *vault.View) {
	m.t.Helper()
	s := m.open()
	if _, err := s.Sync(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	snap, err := s.Resolve(m.t.Context(), ref, vault.Filter{})
	if err != nil {
		m.t.Fatal(err)
	}
	v, err := s.Read(m.t.Context(), snap, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(v.Close)
	return s, v
}

// restorePart restores a partial snapshot on a machine without a cache, and holds
// every file that it has against the source. It returns how many these are.
func (m *merchant) restorePart(ref, tree string) int {
	m.t.Helper()
	if err := os.RemoveAll(m.home.Cache); err != nil {
		m.t.Fatal(err)
	}
	session, v := m.view(ref)
	defer session.Close()
	if !v.Snapshot.Info.Partial {
		m.t.Errorf("%.8s is not partial", ref)
	}
	target := m.t.TempDir()
	r := snapshot.Restorer{Source: v, Options: snapshot.RestoreOptions{Target: target}}
	sum, err := r.Restore(m.t.Context(), v.Snapshot.Info.Root, "/")
	if err != nil || sum.Failed > 0 {
		m.t.Fatalf("restore %.8s: %v, %v", ref, err, sum.Failures)
	}
	files := 0
	err = filepath.WalkDir(target, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		rel, _ := filepath.Rel(target, path)
		want, err := os.ReadFile("/" + rel)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("%s differs", rel)
		}
		return err
	})
	if err != nil {
		m.t.Errorf("restored from %.8s: %v", ref, err)
	}
	return files
}

func noise(seed uint64, n int) []byte {
	p := make([]byte, n)
	r := mathrand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	r.Read(p)
	return p
}

// bigTree has some MiB that do not compress, in files of many sizes.
func bigTree(t *testing.T, files int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprintf("d%d", i/10))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%03d", i)), noise(uint64(i), 1000+(i%7)*100_000), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCheckpointsOfARun: several checkpoints in one run; each restores, none is the
// latest, and the whole is there in the end. The next run stores nothing again.
func TestCheckpointsOfARun(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := bigTree(t, 40)
	var c checkpoints
	r, err := m.run(t.Context(), vault.Backup{Paths: []string{tree}, Archive: snapshot.ArchiveOptions{Progress: c.pace(t.Context(), 10)}}, &c)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.made) < 3 || !r.Complete() || r.Snapshot.Partial {
		t.Fatalf("%d checkpoints, %+v", len(c.made), r.Durability)
	}
	if height := r.Final.Link.Entry.Height; int(height) != len(c.made)+1 {
		t.Errorf("the snapshot is at height %d after %d checkpoints", height, len(c.made))
	}
	m.restore("latest", tree)
	before := 0
	for _, s := range c.made {
		if files := m.restorePart(s.ID(), tree); files < before {
			t.Errorf("%d files after %d", files, before)
		} else {
			before = files
		}
	}
	if before == 0 {
		t.Error("no checkpoint holds a file")
	}
	s, _ := m.view("latest")
	h, err := s.Check(t.Context(), vault.CheckOptions{ReadData: 1, Trees: true})
	if err != nil || !h.Safe() || h.Present != h.Shards || h.Snapshots != len(c.made)+1 || h.Segments != r.Segments {
		t.Errorf("check: %+v, %v; the run introduced %d segments", h, err, r.Segments)
	}
	s.Close()
	again, err := m.run(t.Context(), vault.Backup{Paths: []string{tree}}, nil)
	if err != nil || again.Snapshot.Stats.Added > 100_000 {
		t.Errorf("stored again: %d bytes, %v", again.Snapshot.Stats.Added, err)
	}
}

// TestInterruptedBackup: the run is cancelled after some checkpoints. What they hold
// is neither stored nor read again by the next run.
func TestInterruptedBackup(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := bigTree(t, 60)
	whole := treeSize(t, tree)
	ctx, cancel := context.WithCancel(t.Context())
	c := checkpoints{then: func(made int) {
		if made == 4 {
			cancel()
		}
	}}
	count := &object.Counters{}
	_, err := m.run(ctx, vault.Backup{Paths: []string{tree}, Count: count, Archive: snapshot.ArchiveOptions{Progress: c.pace(ctx, 10)}}, &c)
	var stopped *vault.Interrupted
	if !errors.As(err, &stopped) || !errors.Is(err, context.Canceled) {
		t.Fatalf("a backup that was cancelled: %v", err)
	}
	last := c.made[len(c.made)-1]
	if stopped.Last != last.Link.CID || !stopped.Kept {
		t.Errorf("%+v, and the last checkpoint is %v", stopped, last.Link.CID)
	}
	files := m.restorePart(last.ID(), tree)
	s := m.open()
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(t.Context(), "latest", vault.Filter{}); !errors.Is(err, vault.ErrOnlyPartial) {
		t.Errorf("latest, with checkpoints only: %v", err)
	}
	s.Close()
	used := m.used()
	kept := last.Info.Stats.Added

	from, counted := vault.Snapshot{}, &snapshot.Counters{}
	r, err := m.run(t.Context(), vault.Backup{
		Paths: []string{tree}, Archive: snapshot.ArchiveOptions{Counters: counted}, Continues: func(s vault.Snapshot) { from = s },
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d checkpoints with %d files and %d bytes of %d; the rerun added %d, skipped %d files; nodes %d -> %d",
		len(c.made), files, kept, whole, r.Snapshot.Stats.Added, counted.Skipped.Load(), used, m.used())
	if from.ID() != last.ID() || int(counted.Skipped.Load()) != files {
		t.Errorf("goes on from %.8s and skips %d files; %.8s had %d", from.ID(), counted.Skipped.Load(), last.ID(), files)
	}
	const slack = 400_000 // tree objects, and chunks on their way when the checkpoint was cut
	if rest := whole - kept; r.Snapshot.Stats.Added > rest+slack+1<<20 || rest >= whole {
		t.Errorf("%d bytes were added, %d were missing", r.Snapshot.Stats.Added, rest)
	}
	m.restore("latest", tree)
	m.restorePart(last.ID(), tree)
}

func treeSize(t *testing.T, tree string) (n int64) {
	t.Helper()
	a := snapshot.Archiver{}
	_, stats, _, err := a.Paths(t.Context(), []string{tree})
	if err != nil {
		t.Fatal(err)
	}
	return stats.Bytes
}

// TestKeptAtTheEnd: a cancelled run keeps what is worth it in a last checkpoint, and
// nothing if it is little.
func TestKeptAtTheEnd(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	data := noise(77, 24<<20)
	for _, keep := range []int64{1 << 40, 1 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		var c checkpoints
		_, err := m.run(ctx, vault.Backup{
			Name: "dump", Stream: &held{Reader: bytes.NewReader(data), then: cancel}, CheckpointBytes: 1 << 40, KeepBytes: keep,
		}, &c)
		var stopped *vault.Interrupted
		if !errors.As(err, &stopped) {
			t.Fatal(err)
		}
		if worth := keep < int64(len(data)); worth != (len(c.made) == 1) || worth != stopped.Kept || worth != stopped.Last.Defined() {
			t.Errorf("keep from %d: %d checkpoints, %+v", keep, len(c.made), stopped)
		}
	}
	r, err := m.run(t.Context(), vault.Backup{Name: "dump", Stream: bytes.NewReader(data)}, nil)
	if err != nil || r.Snapshot.Stats.Added > inCutter {
		t.Errorf("stored again: %d of %d bytes, %v", r.Snapshot.Stats.Added, len(data), err)
	}
}

// held is a stream that at its end calls then, and then waits for the reader to stop.
type held struct {
	io.Reader
	then func()
}

func (h *held) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if err == io.EOF {
		h.then()
		return 0, context.Canceled
	}
	return n, err
}

// TestInterruptedStream: a huge stream has no file in its checkpoints, and is
// deduplicated against them all the same.
func TestInterruptedStream(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	data := noise(5, 48<<20)
	broken := errors.New("the disk of the database is gone")
	c := checkpoints{more: make(chan struct{}, 1000)}
	slow := &stepped{parts: [][]byte{data[:16<<20], data[16<<20 : 32<<20], data[32<<20 : 36<<20]}, wait: func() { <-c.more }}
	_, err := m.run(t.Context(), vault.Backup{
		Name: "dump.sql", Stream: io.MultiReader(slow, failed{broken}), CheckpointBytes: 2 << 20,
	}, &c)
	if !errors.Is(err, broken) || len(c.made) < 2 {
		t.Fatalf("%d checkpoints, %v", len(c.made), err)
	}
	for _, s := range c.made {
		session, v := m.view(s.ID())
		if v.Snapshot.Info.Stats.Files != 0 {
			t.Errorf("a file in the middle of a stream: %+v", v.Snapshot.Info.Stats)
		}
		session.Close()
	}
	kept := c.made[len(c.made)-1].Info.Stats.Added
	used := m.used()
	r, err := m.run(t.Context(), vault.Backup{Name: "dump.sql", Stream: bytes.NewReader(data), CheckpointBytes: 1 << 40}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d checkpoints kept %d of %d; the rerun added %d; nodes %d -> %d", len(c.made), kept, len(data), r.Snapshot.Stats.Added, used, m.used())
	if r.Snapshot.Stats.Added > int64(len(data))-kept+inCutter || kept < 2<<20 {
		t.Errorf("%d bytes were added after %d of %d were kept", r.Snapshot.Stats.Added, kept, len(data))
	}
	_, v := m.view("latest")
	var back bytes.Buffer
	if err := snapshot.Dump(t.Context(), v, v.Snapshot.Info.Root, "/dump.sql", &back); err != nil || !bytes.Equal(back.Bytes(), data) {
		t.Errorf("the stream did not come back: %d bytes, %v", back.Len(), err)
	}
}

// inCutter is how much of a stream was read and is not cut yet, and so in no
// checkpoint, and something for tree objects.
const inCutter = 9 << 20

type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// TestCheckpointsByTime: also a slow stream is kept, however little comes of it.
func TestCheckpointsByTime(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	made := make(chan struct{}, 100)
	c := checkpoints{then: func(int) { made <- struct{}{} }}
	slow := &stepped{parts: [][]byte{noise(1, 16<<20), noise(2, 16<<20), noise(3, 1000)}, wait: func() { <-made }}
	r, err := m.run(t.Context(), vault.Backup{Name: "slow", Stream: slow, CheckpointBytes: 1 << 40, CheckpointEvery: 10 * time.Millisecond}, &c)
	if err != nil || len(c.made) < 2 {
		t.Fatalf("%d checkpoints, %v", len(c.made), err)
	}
	if r.Snapshot.Stats.Bytes != 32<<20+1000 {
		t.Errorf("%+v", r.Snapshot.Stats)
	}
}

// stepped gives one part after another, and waits before each but the first.
type stepped struct {
	parts [][]byte
	wait  func()
	begun bool
}

func (s *stepped) Read(p []byte) (int, error) {
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.parts[0])
	if s.parts[0] = s.parts[0][n:]; len(s.parts[0]) == 0 {
		s.parts = s.parts[1:]
		if len(s.parts) > 0 {
			s.wait()
		}
	}
	return n, nil
}

// TestCheckpointsThenTooFewNodes: the network goes away in the middle. The run fails,
// and the next one goes on from the last checkpoint.
func TestCheckpointsThenTooFewNodes(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := bigTree(t, 60)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	c := checkpoints{}
	c.then = func(made int) {
		if made == 2 {
			for _, name := range []string{"node-1", "node-2"} {
				if _, err := n.Break(context.Background(), testnet.Kill, name); err != nil {
					t.Error(err)
				}
			}
			giveUp()
		}
	}
	_, err := m.run(t.Context(), vault.Backup{Paths: []string{tree}, Archive: snapshot.ArchiveOptions{Progress: c.pace(ctx, 10)}}, &c)
	if !errors.Is(err, object.ErrTooFewHolders) {
		t.Fatalf("with 2 of 4 nodes: %v", err)
	}
	for _, name := range []string{"node-1", "node-2"} {
		if _, err := n.Heal(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	kept := c.made[len(c.made)-1]
	m.restorePart(kept.ID(), tree)
	r, err := m.run(t.Context(), vault.Backup{Paths: []string{tree}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rest := treeSize(t, tree) - kept.Info.Stats.Added; r.Snapshot.Stats.Added > rest+2<<20 {
		t.Errorf("%d bytes were added, %d were missing", r.Snapshot.Stats.Added, rest)
	}
	m.restore("latest", tree)
}

// TestContinueTwice: two runs are interrupted, the second one early. The third knows
// what either has read, and `latest` is the snapshot from before all of them.
func TestContinueTwice(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := bigTree(t, 50)
	first := m.backup(tree)
	for i := range 50 { // all are changed
		path := filepath.Join(tree, fmt.Sprintf("d%d", i/10), fmt.Sprintf("f%03d", i))
		if err := os.WriteFile(path, noise(uint64(1000+i), 150_000), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	stopAfter := func(checkpointsMade int) []vault.Snapshot {
		ctx, cancel := context.WithCancel(t.Context())
		c := checkpoints{then: func(made int) {
			if made == checkpointsMade {
				cancel()
			}
		}}
		if _, err := m.run(ctx, vault.Backup{Paths: []string{tree}, Archive: snapshot.ArchiveOptions{Workers: 1, Progress: c.pace(ctx, 8)}}, &c); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return c.made
	}
	long := stopAfter(4)
	files := m.restorePart(long[len(long)-1].ID(), tree)
	// Something new that sorts first makes the second run end before it has seen what
	// the first one had.
	if err := os.WriteFile(filepath.Join(tree, "a-new"), noise(9999, 5<<20), 0o640); err != nil {
		t.Fatal(err)
	}
	stopAfter(1)
	s, v := m.view("latest")
	if v.Snapshot.ID() != first.ID() {
		t.Errorf("latest is %.8s, not the complete one %.8s", v.Snapshot.ID(), first.ID())
	}
	all, err := s.Snapshots(t.Context(), vault.Filter{})
	if err != nil || len(all) < 6 || slices.ContainsFunc(all[1:], func(s vault.Snapshot) bool { return !s.Info.Partial }) {
		t.Errorf("%d snapshots, %v", len(all), err)
	}
	s.Close()
	counted := &snapshot.Counters{}
	if _, err := m.run(t.Context(), vault.Backup{Paths: []string{tree}, Archive: snapshot.ArchiveOptions{Counters: counted}}, nil); err != nil {
		t.Fatal(err)
	}
	if int(counted.Skipped.Load()) < files {
		t.Errorf("%d files were skipped, the first run had finished %d", counted.Skipped.Load(), files)
	}
	counted = &snapshot.Counters{}
	if _, err := m.run(t.Context(), vault.Backup{Paths: []string{tree}, Force: true, Archive: snapshot.ArchiveOptions{Counters: counted}}, nil); err != nil || counted.Skipped.Load() != 0 {
		t.Errorf("--force skips %d files, %v", counted.Skipped.Load(), err)
	}
	m.restore("latest", tree)
}

// TestSegmentsOfCheckpointsAreIntroducedOnce is what members hold a lane against, seen
// from outside, over more entries than deltas may follow each other: sets are full, and
// stay small, because the numbers of a run follow each other.
func TestSegmentsOfCheckpointsAreIntroducedOnce(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := bigTree(t, 68)
	var c checkpoints
	r, err := m.run(t.Context(), vault.Backup{Paths: []string{tree}, CheckpointBytes: 1, Archive: snapshot.ArchiveOptions{Workers: 1, Progress: c.pace(t.Context(), 1)}}, &c)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.made) <= 64 {
		t.Errorf("%d checkpoints; the rule about full sets looks at 64 entries", len(c.made))
	}
	s, _ := m.view("latest")
	once := map[ident.CID]bool{}
	all, err := s.Snapshots(t.Context(), vault.Filter{})
	if err != nil || len(all) != len(c.made)+1 {
		t.Fatalf("%d snapshots, %v", len(all), err)
	}
	for _, snap := range all {
		body, err := s.Body(t.Context(), snap.Link)
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > 1<<20 {
			t.Errorf("a body of %d bytes", len(body))
		}
		b, err := ledger.ParseSnapshotBody(body)
		if err != nil || b.Partial != snap.Info.Partial {
			t.Errorf("%.8s: partial %v in the body, %v in the snapshot, %v", snap.ID(), b.Partial, snap.Info.Partial, err)
		}
		for _, seg := range b.Segments {
			id := ident.SumDagCBOR(seg.Descriptor)
			if once[id] {
				t.Errorf("segment %v is introduced twice", id)
			}
			once[id] = true
		}
		refs, err := ledger.ParseRefSet(b.Refs)
		if err != nil || !refs.IsFull() || len(refs.Lanes) != 1 || len(refs.Lanes[0].Spans) > 2 {
			t.Errorf("reference set of %.8s: %+v, %v", snap.ID(), refs, err)
		}
	}
	if len(once) != r.Segments {
		t.Errorf("%d segments, the run says %d", len(once), r.Segments)
	}
}
