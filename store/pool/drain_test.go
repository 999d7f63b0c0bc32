package pool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"sync"
	"testing"

	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/mem"
	"holdfast/store/storetest"
)

// atMost says no more when so many have been tried.
func atMost(n int) func() bool {
	return func() bool { n--; return n >= 0 }
}

// mustDrain drains a volume, a few shards at a time, and returns how often it took.
func mustDrain(t testing.TB, p *Pool, volume string) (calls int) {
	t.Helper()
	for left := true; left; calls++ {
		var err error
		if left, err = p.Drain(t.Context(), volume, atMost(2)); err != nil {
			t.Fatal(err)
		}
	}
	if empty, err := p.Empty(t.Context(), volume); !empty || err != nil {
		t.Errorf("%s is empty: %v, %v", volume, empty, err)
	}
	return calls
}

func TestDrain(t *testing.T) {
	a, b, c := mem.New(1<<20), mem.New(1<<20), mem.New(1<<20)
	s := segment(t, 50_000, 1)
	for i := range 4 {
		must(t, s.Put(t.Context(), a, vault, i))
	}
	must(t, a.Discard(t.Context(), s.Key(vault, 3), reason))
	p := pooled(t, a, b, c)
	must(t, p.SetDraining(name(0), true))
	if calls := mustDrain(t, p, name(0)); calls != 2 {
		t.Errorf("%d calls for 4 shards, 2 at a time", calls)
	}
	for i := range 3 {
		wantRead(t, p, s, i)
	}
	if d, err := p.Discarded(t.Context(), s.Key(vault, 3)); err != nil || d.Reason != reason {
		t.Errorf("in the trash: %+v, %v", d, err)
	}
	// Nothing new comes to a volume that is being drained.
	other := segment(t, 50_000, 2)
	must(t, other.Put(t.Context(), p, vault, 0))
	if empty, err := p.Empty(t.Context(), name(0)); !empty || err != nil {
		t.Error("a new shard came to a volume that is being drained", err)
	}
	must(t, p.Forget(name(0)))
	if n, err := listed(t, p); n != 4 || err != nil {
		t.Errorf("%d listed, %v", n, err)
	}
}

// fresh is a shelf that looks for each next shard only when it is asked for it.
type fresh struct{ *mem.Shelf }

func (f fresh) List(ctx context.Context, vault ident.CID) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for after, more := (store.Key{}), true; more; {
			more = false
			for info, err := range f.Shelf.List(ctx, vault) {
				if err == nil && info.Key.Compare(after) <= 0 {
					continue
				}
				if !yield(info, err) {
					return
				}
				after, more = info.Key, true
				break
			}
		}
	}
}

// A list that has passed the one volume, and not reached the other, sees what is moved
// between them.
func TestListWhileDraining(t *testing.T) {
	a, b := fresh{mem.New(1 << 20)}, fresh{mem.New(1 << 20)}
	p := pooled(t, a, b)
	must(t, p.SetDraining(name(0), true))
	for i := range 8 {
		must(t, segment(t, 1000, uint64(i)).Put(t.Context(), a, vault, i%4))
	}
	var keys []store.Key
	for info, err := range p.List(t.Context(), ident.CID{}) {
		must(t, err)
		if keys = append(keys, info.Key); len(keys) == 3 {
			mustDrain(t, p, name(0))
		}
	}
	if len(keys) != 8 || !slices.IsSortedFunc(keys, store.Key.Compare) {
		t.Errorf("%d of 8 listed: %v", len(keys), keys)
	}
}

// A reader finds every shard at every moment of a drain, and what is put, discarded and
// removed meanwhile stays so.
func TestUseWhileDraining(t *testing.T) {
	a, b := mem.New(1<<24), mem.New(1<<24)
	p := pooled(t, a, b)
	kept, changed := segment(t, 4000, 1), segment(t, 4000, 2)
	var users sync.WaitGroup
	stop := make(chan struct{})
	use := func(f func(ctx context.Context) error) {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 2 {
		must(t, kept.Put(t.Context(), p, vault, i))
		use(func(ctx context.Context) error {
			_, err := storetest.ReadAll(ctx, p, kept.Key(vault, i))
			return err
		})
		use(func(ctx context.Context) error {
			key := changed.Key(vault, i)
			err := errors.Join(
				changed.Put(ctx, p, vault, i), p.Discard(ctx, key, reason), p.Recall(ctx, key), p.Discard(ctx, key, reason),
				changed.Put(ctx, p, vault, i), p.Remove(ctx, key))
			if _, gone := p.Stat(ctx, key); !errors.Is(gone, store.ErrNotFound) {
				return errors.Join(err, errors.New("what was removed is there"), gone)
			}
			return err
		})
	}
	for round := range 60 {
		from, to := name(round%2), name((round+1)%2)
		must(t, p.SetDraining(to, false))
		must(t, p.SetDraining(from, true))
		for left := true; left; {
			var err error
			left, err = p.Drain(t.Context(), from, atMost(4))
			must(t, err)
		}
	}
	close(stop)
	users.Wait()
	if u, _ := p.Usage(t.Context()); u.Shards != 2 || u.Trashed != 0 {
		t.Errorf("usage %+v", u)
	}
}

// A volume that a put under way may go to is not empty.
func TestEmptyKnowsWhatIsComing(t *testing.T) {
	a := mem.New(1 << 20)
	p := pooled(t, a, mem.New(0))
	s := segment(t, 1000, 1)
	reading, free, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- p.Put(context.Background(), s.Key(vault, 0), s.Descriptor, &held{rest: s.Rows[0], reading: reading, free: free})
	}()
	<-reading
	must(t, p.SetDraining(name(0), true))
	if empty, err := p.Empty(t.Context(), name(0)); empty || err != nil {
		t.Error("empty with a put under way", err)
	}
	close(free)
	must(t, <-done)
	if empty, err := p.Empty(t.Context(), name(0)); empty || err != nil {
		t.Error("empty with a shard", err)
	}
	if room := p.Room(t.Context()); room != 0 {
		t.Errorf("room for %d on a volume that is being drained", room)
	}
	must(t, p.Remove(t.Context(), s.Key(vault, 0)))
	if empty, err := p.Empty(t.Context(), name(0)); !empty || err != nil {
		t.Error("not empty", err)
	}
	must(t, p.Detach(name(1), errAway))
	states := p.States(t.Context())
	if len(states) != 2 || !states[0].Draining || states[0].Away != nil || !errors.Is(states[1].Away, errAway) {
		t.Errorf("states %+v", states)
	}
}

// What has no room elsewhere stays, and the rest goes.
func TestDrainWithoutRoom(t *testing.T) {
	a, b := mem.New(1<<20), mem.New(120_000)
	s := segment(t, 50_000, 1)
	for i := range 4 {
		must(t, s.Put(t.Context(), a, vault, i))
	}
	must(t, s.Put(t.Context(), a, storetest.Vault("b"), 0))
	must(t, a.Discard(t.Context(), s.Key(storetest.Vault("b"), 0), reason))
	p := pooled(t, a, b)
	must(t, p.SetDraining(name(0), true))
	left, err := p.Drain(t.Context(), name(0), atMost(100))
	if !left || !errors.Is(err, store.ErrFull) {
		t.Errorf("left %v, %v", left, err)
	}
	for i := range 4 {
		wantRead(t, p, s, i)
	}
	if _, err := a.Discarded(t.Context(), s.Key(storetest.Vault("b"), 0)); err != nil {
		t.Error("what could not be moved has left the trash:", err)
	}
	if u, _ := b.Usage(t.Context()); u.Shards != 4 {
		t.Errorf("%d moved where 4 have room", u.Shards)
	}
}

// scratched is a shelf of a disk that some shards cannot be read from any more.
type scratched struct {
	*mem.Shelf
	bad map[store.Key]bool
}

func (s scratched) Open(ctx context.Context, key store.Key) (store.Shard, error) {
	if s.bad[key] {
		return nil, errors.New("input/output error")
	}
	return s.Shelf.Open(ctx, key)
}

// However many shards a failing disk does not give back, and wherever they come in the
// list, all others leave it, and the call says that it was not all.
func TestDrainOfAFailingDisk(t *testing.T) {
	a := scratched{mem.New(1 << 24), map[store.Key]bool{}}
	for i := range 200 {
		must(t, segment(t, 1000, uint64(i)).Put(t.Context(), a, vault, 0))
	}
	n := 0
	for info, err := range a.List(t.Context(), ident.CID{}) {
		must(t, err)
		if n++; n <= 150 || n%2 == 0 {
			a.bad[info.Key] = true
		}
	}
	b := mem.New(1 << 24)
	p := pooled(t, a, b)
	must(t, p.SetDraining(name(0), true))
	left, err := p.Drain(t.Context(), name(0), func() bool { return true })
	if !left || err == nil || errors.Is(err, store.ErrPaused) {
		t.Errorf("left %v, %v", left, err)
	}
	if u, _ := b.Usage(t.Context()); u.Shards != int64(200-len(a.bad)) {
		t.Errorf("%d of 200 moved, %d cannot be read", u.Shards, len(a.bad))
	}
}

// Where a shard had no room, larger ones are not read for nothing, and smaller ones are
// moved.
func TestDrainTriesWhatMayFit(t *testing.T) {
	a := opened{mem.New(1 << 24), map[int64]int{}}
	for i := range 40 {
		size := 1000
		if i%2 == 0 {
			size = 100_000
		}
		must(t, segment(t, size, uint64(i)).Put(t.Context(), a, vault, 0))
	}
	p := pooled(t, a, mem.New(40_000))
	must(t, p.SetDraining(name(0), true))
	left, err := p.Drain(t.Context(), name(0), func() bool { return true })
	if !left || !errors.Is(err, store.ErrFull) {
		t.Errorf("left %v, %v", left, err)
	}
	if u, _ := a.Usage(t.Context()); u.Shards != 20 {
		t.Errorf("%d left, and 20 are too large", u.Shards)
	}
	if a.of[50_000] != 1 {
		t.Errorf("opened by size: %v", a.of)
	}
}

// opened counts what is opened, by size.
type opened struct {
	*mem.Shelf
	of map[int64]int
}

func (o opened) Open(ctx context.Context, key store.Key) (store.Shard, error) {
	s, err := o.Shelf.Open(ctx, key)
	if err == nil {
		o.of[s.Info().Size]++
	}
	return s, err
}

// rotten is a shelf that loses a bit of what it is given.
type rotten struct{ *mem.Shelf }

func (r rotten) Open(ctx context.Context, key store.Key) (store.Shard, error) {
	if _, err := r.Stat(ctx, key); err != nil {
		return nil, err
	}
	return nil, store.ErrCorrupt
}

// Law: what cannot be read on the new volume is not taken from the old one.
func TestDrainReadsBack(t *testing.T) {
	a, b := mem.New(1<<20), rotten{mem.New(1 << 20)}
	s := segment(t, 50_000, 1)
	must(t, s.Put(t.Context(), a, vault, 0))
	p := pooled(t, a, b)
	must(t, p.SetDraining(name(0), true))
	if left, err := p.Drain(t.Context(), name(0), atMost(1)); !left || err == nil {
		t.Errorf("left %v, %v", left, err)
	}
	got, err := storetest.ReadAll(t.Context(), a, s.Key(vault, 0))
	if err != nil || !bytes.Equal(got, s.Rows[0]) {
		t.Error("the good copy is gone:", err)
	}
}

// errCrash is what every operation says after the one at which the process was killed.
var errCrash = errors.New("killed")

// crash kills at one of the operations on any volume, before or after it is done.
type crash struct {
	after bool

	mu   sync.Mutex
	left int
}

func (c *crash) do(f func() error) error {
	c.mu.Lock()
	c.left--
	left := c.left
	c.mu.Unlock()
	if left < 0 || left == 0 && !c.after {
		return errCrash
	}
	err := f()
	if left == 0 {
		return errCrash
	}
	return err
}

// mortal is a volume of a process that will be killed.
type mortal struct {
	*mem.Shelf
	*crash
}

func (m mortal) Put(ctx context.Context, key store.Key, d []byte, r io.Reader) error {
	return m.do(func() error { return m.Shelf.Put(ctx, key, d, r) })
}

func (m mortal) Open(ctx context.Context, key store.Key) (s store.Shard, err error) {
	err = m.do(func() error {
		s, err = m.Shelf.Open(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return mortalShard{s, m.crash}, nil
}

type mortalShard struct {
	store.Shard
	*crash
}

func (s mortalShard) WriteTo(w io.Writer) (n int64, err error) {
	err = s.do(func() error {
		n, err = s.Shard.WriteTo(w)
		return err
	})
	return n, err
}

func (m mortal) Remove(ctx context.Context, key store.Key) error {
	return m.do(func() error { return m.Shelf.Remove(ctx, key) })
}

func (m mortal) Discard(ctx context.Context, key store.Key, why store.Reason) error {
	return m.do(func() error { return m.Shelf.Discard(ctx, key, why) })
}

func (m mortal) Recall(ctx context.Context, key store.Key) error {
	return m.do(func() error { return m.Shelf.Recall(ctx, key) })
}

func (m mortal) Erase(ctx context.Context, key store.Key) error {
	return m.do(func() error { return m.Shelf.Erase(ctx, key) })
}

func (m mortal) Discards(ctx context.Context, vault ident.CID) iter.Seq2[store.Discarded, error] {
	return m.Shelf.Discards(ctx, vault)
}

// Law: killed before or after any operation of a drain, every shard is whole on one
// volume at least, what was in the trash is there or on a shelf, and the next process
// ends the work.
func TestDrainKilledAnywhere(t *testing.T) {
	s, other := segment(t, 20_000, 1), segment(t, 20_000, 2)
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			a, b, c := mem.New(1<<20), mem.New(1<<20), mem.New(1<<20)
			for i := range 3 {
				must(t, s.Put(t.Context(), a, vault, i))
			}
			must(t, s.Put(t.Context(), b, vault, 2)) // a copy too many
			for i := range 2 {
				must(t, other.Put(t.Context(), a, vault, i))
				must(t, a.Discard(t.Context(), other.Key(vault, i), reason))
			}
			must(t, other.Put(t.Context(), c, vault, 1))
			k := &crash{left: at, after: after}
			p := pooled(t, mortal{a, k}, mortal{b, k}, mortal{c, k})
			must(t, p.SetDraining(name(0), true))
			for left, err := true, error(nil); left && err == nil; {
				left, err = p.Drain(t.Context(), name(0), atMost(2))
			}
			p = pooled(t, a, b, c)
			must(t, p.SetDraining(name(0), true))
			for range 2 {
				for i := range 3 {
					wantRead(t, p, s, i)
				}
				wantRead(t, p, other, 1)
				if _, err := p.Discarded(t.Context(), other.Key(vault, 0)); err != nil {
					wantRead(t, p, other, 0)
				}
				mustDrain(t, p, name(0))
			}
			if _, err := p.Tidy(t.Context()); err != nil {
				t.Error(err)
			}
			if u, _ := p.Usage(t.Context()); u.Shards+u.Trashed/15_000 > 5 {
				t.Errorf("copies are left: %+v", u)
			}
			if t.Failed() {
				t.Fatalf("killed at operation %d, after it: %v", at, after)
			}
			if k.left > 0 {
				t.Logf("%d operations, after: %v", at-k.left, after)
				break
			}
		}
	}
}
