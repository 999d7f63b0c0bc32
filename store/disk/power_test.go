package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/storetest"
)

var errPower = errors.New("the power is off")

// powerFiles performs everything on a real folder and remembers what a disk would
// still have after a power failure. It knows two kinds of disk:
//
// Strict: the content of a file is safe after Sync, an entry of a folder after
// syncDir of that folder, and of everything else any part may be there or not.
//
// Journaling, like ext4, XFS or NTFS: changes of folders reach the disk in their
// order, and any Sync or syncDir brings all of them up to then.
type powerFiles struct {
	osFiles
	mu         sync.Mutex
	journaling bool
	left       int // operations until the power fails
	root       string
	index      []byte                      // the database, which looks after itself, before the last operation
	live       map[string]*node            // by path: files and folders made since
	safe       map[string]map[string]*node // strict: by folder, by name
	steps      []map[string]*node          // journaling: live after each change since the last flush
}

// node is a file or a folder.
type node struct {
	dir    bool
	data   []byte
	synced int // length of data that is safe; -1 for none
}

func newPowerFiles(root string, left int, journaling bool) *powerFiles {
	p := &powerFiles{
		root: root, left: left, journaling: journaling,
		live: make(map[string]*node), safe: make(map[string]map[string]*node),
	}
	for _, name := range []string{shardsName, tmpName, quarantineName, trashName} {
		p.live[filepath.Join(root, name)] = &node{dir: true}
	}
	p.flushFolder(root)
	return p
}

// do performs one operation, or fails because the power is off. The last one may
// be performed without anybody hearing of it.
func (p *powerFiles) do(perform func() error, change func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left <= 0 {
		return errPower
	}
	p.left--
	index, err := os.ReadFile(filepath.Join(p.root, indexName))
	if err != nil {
		return err
	}
	p.index = index
	if err := perform(); err != nil {
		return err
	}
	change()
	p.steps = append(p.steps, maps.Clone(p.live))
	if p.left == 0 {
		return errPower
	}
	return nil
}

func (p *powerFiles) off() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left <= 0
}

// flushFolder makes the entries of a folder safe.
func (p *powerFiles) flushFolder(path string) {
	p.steps = nil
	entries := make(map[string]*node)
	for at, n := range p.live {
		if filepath.Dir(at) == path {
			entries[filepath.Base(at)] = n
		}
	}
	p.safe[path] = entries
}

func (p *powerFiles) create(path string) (f file, err error) {
	n := &node{synced: -1}
	err = p.do(func() error { f, err = p.osFiles.create(path); return err }, func() { p.live[path] = n })
	return powerFile{f, p, n}, err
}

func (p *powerFiles) link(from, to string) error {
	return p.do(func() error { return p.osFiles.link(from, to) }, func() { p.live[to] = p.live[from] })
}

func (p *powerFiles) rename(from, to string) error {
	return p.do(func() error { return p.osFiles.rename(from, to) }, func() {
		p.live[to] = p.live[from]
		delete(p.live, from)
	})
}

func (p *powerFiles) remove(path string) error {
	return p.do(func() error { return p.osFiles.remove(path) }, func() { delete(p.live, path) })
}

func (p *powerFiles) mkdir(path string) error {
	return p.do(func() error { return p.osFiles.mkdir(path) }, func() { p.live[path] = &node{dir: true} })
}

func (p *powerFiles) syncDir(path string) error {
	return p.do(func() error { return nil }, func() { p.flushFolder(path) })
}

type powerFile struct {
	file
	p *powerFiles
	n *node
}

func (f powerFile) Write(b []byte) (int, error) {
	err := f.p.do(func() error { _, err := f.file.Write(b); return err }, func() { f.n.data = append(f.n.data, b...) })
	return len(b), err
}

func (f powerFile) Sync() error {
	return f.p.do(func() error { return nil }, func() { f.n.synced = len(f.n.data); f.p.steps = nil })
}

// image makes the folder that is found when the power is back.
func (p *powerFiles) image(t *testing.T, to string, random *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.journaling {
		// Folders are as after one of the changes since the last flush.
		state := p.live
		if len(p.steps) > 0 {
			state = p.steps[random.IntN(len(p.steps))]
		}
		p.copyFolder(t, p.root, to, random, func(dir string) map[string]*node { return childrenOf(state, dir) })
		return
	}
	p.copyFolder(t, p.root, to, random, func(dir string) map[string]*node {
		entries := maps.Clone(p.safe[dir])
		if entries == nil {
			entries = make(map[string]*node)
		}
		now := childrenOf(p.live, dir)
		for name := range entries {
			if now[name] == nil && random.IntN(2) == 0 {
				delete(entries, name)
			}
		}
		for name, n := range now {
			if entries[name] != n && random.IntN(2) == 0 {
				entries[name] = n
			}
		}
		return entries
	})
}

func childrenOf(state map[string]*node, dir string) map[string]*node {
	entries := make(map[string]*node)
	for path, n := range state {
		if filepath.Dir(path) == dir {
			entries[filepath.Base(path)] = n
		}
	}
	return entries
}

func (p *powerFiles) copyFolder(t *testing.T, from, to string, random *rand.Rand, children func(string) map[string]*node) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, n := range children(from) {
		if n.dir {
			p.copyFolder(t, filepath.Join(from, name), filepath.Join(to, name), random, children)
			continue
		}
		if err := os.WriteFile(filepath.Join(to, name), n.afterwards(random), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// afterwards is what is left of a file's content: what is safe, and of the rest
// nothing, a part, or zeros.
func (n *node) afterwards(random *rand.Rand) []byte {
	safe := max(n.synced, 0)
	rest := bytes.Clone(n.data[safe:])
	switch random.IntN(3) {
	case 0:
		rest = rest[:random.IntN(len(rest)+1)]
	case 1:
		clear(rest[random.IntN(len(rest)+1):])
	case 2:
		rest = nil
	}
	return append(bytes.Clone(n.data[:safe]), rest...)
}

// promise is what a shelf has said about a shard.
type promise int

const (
	nothing promise = iota // an operation was under way when the power failed
	present
	gone
	binned    // in the trash
	somewhere // it was being moved when the power failed: on the shelf or in the trash
)

// workload puts and removes shards until the power fails, and returns what was
// promised. Each worker has shards of its own; the first one also flushes the index
// now and then.
func workload(t *testing.T, d *Disk, segments []storetest.Segment, seed uint64, off func() bool) map[store.Key]promise {
	promises := make([]map[store.Key]promise, 3)
	var all sync.WaitGroup
	for w := range promises {
		mine := make(map[store.Key]promise)
		promises[w] = mine
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			for !off() {
				if w == 0 && random.IntN(6) == 0 {
					if err := d.flush(); err != nil {
						t.Error(err)
					}
				}
				s := segments[random.IntN(len(segments))]
				key := s.Key(v, w)
				switch said := mine[key]; {
				case said == binned && random.IntN(2) == 0:
					mine[key], _ = leaveTheTrash(t.Context(), d, key, random)
				case said != present || random.IntN(4) == 0:
					failed := nothing
					if said == binned {
						failed = somewhere
					}
					mine[key], _ = otherwise(present, failed, s.Put(t.Context(), d, v, w))
				default:
					mine[key], _ = takeAway(t.Context(), d, key, random)
				}
			}
		})
	}
	all.Wait()
	for _, m := range promises[1:] {
		maps.Copy(promises[0], m)
	}
	return promises[0]
}

// takeAway takes a shard from the shelf, for ever or not, and returns what holds then.
func takeAway(ctx context.Context, d *Disk, key store.Key, random *rand.Rand) (promise, error) {
	if random.IntN(3) == 0 {
		return otherwise(gone, nothing, d.Remove(ctx, key))
	}
	why := store.Reason{Release: storetest.Release("r"), Time: int64(random.IntN(1000))}
	return otherwise(binned, somewhere, d.Discard(ctx, key, why))
}

// leaveTheTrash calls a shard back or erases it.
func leaveTheTrash(ctx context.Context, d *Disk, key store.Key, random *rand.Rand) (promise, error) {
	if random.IntN(2) == 0 {
		return otherwise(gone, nothing, d.Erase(ctx, key))
	}
	return otherwise(present, somewhere, d.Recall(ctx, key))
}

func otherwise(well, failed promise, err error) (promise, error) {
	if err != nil {
		return failed, err
	}
	return well, nil
}

// keep checks every promise on a shelf that was opened after the failure, and that
// what was not promised is whole or not there.
func keep(t *testing.T, d *Disk, segments []storetest.Segment, promises map[store.Key]promise) {
	t.Helper()
	for _, s := range segments {
		for w := range s.Rows {
			key := s.Key(v, w)
			p, err := storetest.ReadAll(t.Context(), d, key)
			whole := err == nil && bytes.Equal(p, s.Rows[w])
			absent := errors.Is(err, store.ErrNotFound)
			said, known := promises[key]
			switch {
			case !whole && !absent:
				t.Errorf("%v: %d bytes, %v", key, len(p), err)
			case known && said == present && !whole, known && (said == gone || said == binned) && !absent, !known && whole:
				t.Errorf("%v: promise %d, read %v", key, said, err)
			}
			if in := d.isDiscarded(key); in && whole || said == binned && !in || known && said == gone && in || said == somewhere && !in && !whole {
				t.Errorf("%v: promise %d, in the trash: %v", key, said, in)
			}
		}
	}
}

// Law: whenever the power fails, what was promised is there, what was removed is
// gone, nothing is half, and the books can be put right; on a journaling file system
// they are right at once.
func TestPowerFailures(t *testing.T) {
	segments := []storetest.Segment{segment(t, 1000, 1), segment(t, 60_000, 2), segment(t, 2*600_000, 3)}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range 16 {
		journaling := i%2 == 0
		left := 5 + random.IntN(150)
		t.Run(fmt.Sprintf("journaling %v, %d operations", journaling, left), func(t *testing.T) {
			config := newVolume(t, 1<<30)
			files := newPowerFiles(config.Dir, left, journaling)
			config.files, config.FlushEvery = files, time.Hour
			d, err := Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			promises := workload(t, d, segments, random.Uint64(), files.off)
			crash(t, d)
			after := Config{Dir: filepath.Join(t.TempDir(), "after"), Capacity: 1 << 30, Volume: testID}
			files.image(t, after.Dir, random)
			marker, err := os.ReadFile(d.at.marker())
			if err != nil {
				t.Fatal(err)
			}
			for name, p := range map[string][]byte{MarkerName: marker, indexName: files.index} {
				if err := os.WriteFile(filepath.Join(after.Dir, name), p, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			checkAfter(t, after, segments, promises, journaling)
		})
	}
}

func checkAfter(t *testing.T, config Config, segments []storetest.Segment, promises map[store.Key]promise, journaling bool) {
	d := mustOpen(t, config)
	if n := names(t, d.at.tmp()); len(n) != 0 {
		t.Errorf("left in tmp: %v", n)
	}
	if journaling {
		wantBooks(t, d)
	}
	keep(t, d, segments, promises)
	if err := d.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantBooks(t, d)
	recallAll(t, d, segments)
	if q := names(t, d.at.quarantine()); len(q) != 0 {
		t.Errorf("corrupt after a power failure: %v", q)
	}
}

// recallAll empties the trash onto the shelf, and checks that everything in it was
// whole.
func recallAll(t *testing.T, d *Disk, segments []storetest.Segment) {
	for found, err := range d.Discards(t.Context(), ident.CID{}) {
		if err == nil {
			err = d.Recall(t.Context(), found.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range segments {
			if s.CID == found.Segment {
				mustRead(t, d, s, found.Key)
			}
		}
	}
	wantBooks(t, d)
}
