package pool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/store/mem"
	"holdfast/store/storetest"
)

func TestMain(m *testing.M) {
	if run, ok := children[os.Getenv(childEnv)]; ok {
		run()
		return
	}
	os.Exit(leaktest.Run(m))
}

var (
	code   = erasure.Code{K: 2, N: 4}
	vault  = storetest.Vault("a")
	reason = store.Reason{Release: storetest.Release("r"), Time: 7}
)

// maker makes the shelf of one volume.
type maker func(t testing.TB, i int, capacity int64) Shelf

func inMemory(_ testing.TB, _ int, capacity int64) Shelf { return mem.New(capacity) }

func onDisk(t testing.TB, i int, capacity int64) Shelf {
	t.Helper()
	return mustOpen(t, newVolume(t, t.TempDir(), i, capacity))
}

// newVolume makes a volume, and the configuration to open it with.
func newVolume(t testing.TB, dir string, i int, capacity int64) disk.Config {
	t.Helper()
	c := volumeConfig(dir, i, capacity)
	key := func(b byte) ident.PublicKey { return ident.NewPrivateKey([32]byte{b}).Public() }
	if err := disk.Create(c.Dir, disk.Marker{Volume: c.Volume, Node: key(1), Vote: key(2), Created: 1}); err != nil {
		t.Fatal(err)
	}
	return c
}

func volumeConfig(dir string, i int, capacity int64) disk.Config {
	return disk.Config{Dir: filepath.Join(dir, fmt.Sprint("volume-", i)), Capacity: capacity, Volume: disk.VolumeID{byte(i + 1)}}
}

func mustOpen(t testing.TB, c disk.Config) *disk.Disk {
	t.Helper()
	d, err := disk.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func name(i int) string { return fmt.Sprint("v", i) }

// pooled makes a pool of shelves, named v0, v1 and so on.
func pooled(t testing.TB, shelves ...Shelf) *Pool {
	t.Helper()
	p := New()
	for i, s := range shelves {
		must(t, p.Add(Volume{Name: name(i)}))
		must(t, p.Attach(name(i), s))
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func segment(t testing.TB, size int, seed uint64) storetest.Segment {
	t.Helper()
	return storetest.NewSegment(t, code, size, seed)
}

// footprints are what the shards take with which the suites fill their shelves.
func footprints(t testing.TB, make maker) (each []int64) {
	for i, size := range []int{30_000, 100_000} {
		s := make(t, i, roomy)
		must(t, segment(t, size, 1).Put(t.Context(), s, vault, 0))
		u, err := s.Usage(t.Context())
		must(t, err)
		each = append(each, u.Used)
	}
	return each
}

const roomy = 1 << 30

// shares divides a capacity so that whole shards fit: no shard is on two volumes.
func shares(capacity int64, each []int64, n int) []int64 {
	unit := max(capacity, 1)
	for _, e := range each {
		if capacity >= e && capacity%e == 0 {
			unit = e
		}
	}
	if capacity == roomy {
		unit = 1 << 20
	}
	out := make([]int64, n)
	for i := range int(capacity / unit) {
		out[i%n] += unit
	}
	return out
}

// suites runs the suites of shelves and of trash over pools of n volumes.
func suites(t *testing.T, make maker, n int) {
	each := footprints(t, make)
	factory := func(t testing.TB, capacity int64) storetest.Full {
		var shelves []Shelf
		for i, share := range shares(capacity, each, n) {
			shelves = append(shelves, make(t, i, share))
		}
		return pooled(t, shelves...)
	}
	t.Run("shelf", func(t *testing.T) {
		storetest.Test(t, func(t testing.TB, capacity int64) store.Shelf { return factory(t, capacity) })
	})
	t.Run("trash", func(t *testing.T) { storetest.TestTrash(t, factory) })
}

// The suites of all shelves and of all trash.
func TestOneVolume(t *testing.T)    { suites(t, inMemory, 1) }
func TestThreeVolumes(t *testing.T) { suites(t, inMemory, 3) }
func TestTwoDisks(t *testing.T)     { suites(t, onDisk, 2) }

func TestNames(t *testing.T) {
	p := pooled(t, mem.New(1))
	if err := p.Add(Volume{Name: name(0)}); err == nil {
		t.Error("two volumes of one name")
	}
	for _, err := range []error{
		p.Attach("x", mem.New(1)), p.Detach("x", store.ErrPaused), p.SetDraining("x", true), p.Forget("x"),
	} {
		if !errors.Is(err, ErrNoVolume) {
			t.Error(err)
		}
	}
	if _, err := p.Drain(t.Context(), "x", atMost(1)); !errors.Is(err, ErrNoVolume) {
		t.Error(err)
	}
}

// Shards go where most is free, until as much is free everywhere.
func TestPutByFreeSpace(t *testing.T) {
	small, large := mem.New(400_000), mem.New(600_000)
	p := pooled(t, small, large)
	for i := range 8 {
		must(t, segment(t, 100_000, uint64(i)).Put(t.Context(), p, vault, 0))
	}
	a, _ := small.Usage(t.Context())
	b, _ := large.Usage(t.Context())
	if apart := a.Capacity - a.Used - (b.Capacity - b.Used); apart > 60_000 || apart < -60_000 || a.Shards+b.Shards != 8 {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestPutsUnderWayAreSpread(t *testing.T) {
	a, b := mem.New(1<<20), mem.New(1<<20)
	p := pooled(t, a, b)
	var puts sync.WaitGroup
	reading, free := make(chan struct{}, 8), make(chan struct{})
	for i := range 8 {
		s := segment(t, 100_000, uint64(i))
		puts.Go(func() {
			r := &held{rest: s.Rows[0], reading: reading, free: free}
			if err := p.Put(context.Background(), s.Key(vault, 0), s.Descriptor, r); err != nil {
				t.Error(err)
			}
		})
		<-reading
	}
	close(free)
	puts.Wait()
	for _, m := range []*mem.Shelf{a, b} {
		if u, _ := m.Usage(t.Context()); u.Shards != 4 {
			t.Errorf("%d of 8 shards on one of two volumes", u.Shards)
		}
	}
}

// held is a stream that tells when it is read, and waits.
type held struct {
	rest    []byte
	reading chan<- struct{}
	free    <-chan struct{}
	told    bool
}

func (h *held) Read(p []byte) (int, error) {
	if !h.told {
		h.told = true
		h.reading <- struct{}{}
		<-h.free
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}

// A volume's own limit counts, as the disk behind it may have less room than is offered.
func TestPutAsksWhatIsReallyFree(t *testing.T) {
	a, b := mem.New(1<<30), mem.New(1<<20)
	p := New()
	must(t, p.Add(Volume{Name: "a", Free: func(store.Usage) int64 { return 1000 }}))
	must(t, p.Add(Volume{Name: "b"}))
	must(t, p.Attach("a", a))
	must(t, p.Attach("b", b))
	must(t, segment(t, 100_000, 1).Put(t.Context(), p, vault, 0))
	if u, _ := b.Usage(t.Context()); u.Shards != 1 {
		t.Error("put where there is no room")
	}
}

// stuck is a shelf of a disk that does not answer for a while.
type stuck struct {
	*mem.Shelf
	asked, free chan struct{}
}

func (s stuck) Stat(ctx context.Context, key store.Key) (store.Info, error) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	<-s.free
	return s.Shelf.Stat(ctx, key)
}

// Who puts what another one puts as well waits for that one's disk no longer than it wants.
func TestPutBesideAStuckOne(t *testing.T) {
	a := stuck{mem.New(1 << 20), make(chan struct{}, 1), make(chan struct{})}
	p := pooled(t, a, mem.New(1<<20))
	s := segment(t, 1000, 1)
	done := make(chan error)
	go func() { done <- s.Put(context.Background(), p, vault, 0) }()
	<-a.asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, p, vault, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(a.free)
	must(t, <-done)
}
