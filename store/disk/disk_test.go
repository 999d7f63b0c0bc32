package disk

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/store"
	"holdfast/store/storetest"
)

var testID = VolumeID{1, 2, 3}

func testMarker(id VolumeID) Marker {
	key := func(b byte) ident.PublicKey { return ident.NewPrivateKey([32]byte{b}).Public() }
	return Marker{Volume: id, Node: key(1), Vote: key(2), Created: 1_700_000_000}
}

// events collects what a shelf reports.
type events struct {
	mu   sync.Mutex
	list []Event
}

func (e *events) report(v Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, v)
}

func (e *events) count(kind EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.list {
		if v.Kind == kind {
			n++
		}
	}
	return n
}

// newVolume makes a volume and the configuration to open it with.
func newVolume(t testing.TB, capacity int64) Config {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "volume")
	if err := Create(dir, testMarker(testID)); err != nil {
		t.Fatal(err)
	}
	return Config{Dir: dir, Capacity: capacity, Volume: testID}
}

// mustOpen opens a volume, and closes it at the end if the test has not.
func mustOpen(t testing.TB, config Config) *Disk {
	t.Helper()
	d, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func newDisk(t testing.TB) *Disk { return mustOpen(t, newVolume(t, 1<<30)) }

func mustClose(t testing.TB, d *Disk) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

var (
	code = erasure.Code{K: 2, N: 4}
	v    = storetest.Vault("a")
)

func segment(t testing.TB, size int, seed uint64) storetest.Segment {
	t.Helper()
	return storetest.NewSegment(t, code, size, seed)
}

func mustPut(t testing.TB, d *Disk, s storetest.Segment, index int) store.Key {
	t.Helper()
	if err := s.Put(t.Context(), d, v, index); err != nil {
		t.Fatal(err)
	}
	return s.Key(v, index)
}

func mustRead(t testing.TB, d *Disk, s storetest.Segment, key store.Key) {
	t.Helper()
	p, err := storetest.ReadAll(t.Context(), d, key)
	if err != nil || string(p) != string(s.Rows[key.Index]) {
		t.Errorf("read %v: %d bytes, %v", key, len(p), err)
	}
}

func mustUsage(t testing.TB, d *Disk) store.Usage {
	t.Helper()
	u, err := d.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// names lists a folder of the volume.
func names(t testing.TB, path string) (s []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return s
}

// onDisk is what the shard files take, by looking at all of them.
func onDisk(t testing.TB, d *Disk) (u store.Usage) {
	t.Helper()
	err := d.walk(t.Context(), func(key store.Key) error {
		fi, err := os.Stat(d.at.shard(key))
		if err != nil {
			return err
		}
		u.Shards++
		u.Used += fi.Size()
		return nil
	})
	if err == nil {
		err = d.walkTrash(t.Context(), ident.CID{}, func(found store.Discarded) error {
			if d.exists(found.Key) {
				t.Errorf("%v is on the shelf and in the trash", found.Key)
			}
			u.Trashed += found.Bytes
			u.Used += found.Bytes
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// wantBooks compares the accounting with the files.
func wantBooks(t testing.TB, d *Disk) {
	t.Helper()
	got, want := mustUsage(t, d), onDisk(t, d)
	want.Capacity = got.Capacity
	if got != want {
		t.Errorf("usage %+v, on disk %+v", got, want)
	}
	listed := 0
	for _, err := range d.List(t.Context(), ident.CID{}) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if int64(listed) != want.Shards {
		t.Errorf("%d listed, %d on disk", listed, want.Shards)
	}
}

func TestShelf(t *testing.T) {
	storetest.Test(t, func(t testing.TB, capacity int64) store.Shelf {
		return mustOpen(t, newVolume(t, capacity))
	})
}

func TestResize(t *testing.T) {
	d := newDisk(t)
	s := segment(t, 50_000, 1)
	key := mustPut(t, d, s, 0)
	d.Resize(mustUsage(t, d).Used)
	if err := s.Put(t.Context(), d, v, 1); !errors.Is(err, store.ErrFull) {
		t.Error("put into what was taken back:", err)
	}
	mustRead(t, d, s, key)
	d.Resize(1 << 20)
	mustPut(t, d, s, 1)
}

func TestTrash(t *testing.T) {
	storetest.TestTrash(t, func(t testing.TB, capacity int64) storetest.Full {
		return mustOpen(t, newVolume(t, capacity))
	})
}

func TestMain(m *testing.M) {
	if run, ok := children[os.Getenv(childEnv)]; ok {
		run()
		return
	}
	os.Exit(leaktest.Run(m))
}
