package pool

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/mem"
	"holdfast/store/storetest"
)

var errAway = errors.New("unplugged")

// listed counts what a pool lists, and returns how the list ended.
func listed(t testing.TB, p *Pool) (n int, err error) {
	t.Helper()
	seen := map[store.Key]bool{}
	for info, e := range p.List(t.Context(), ident.CID{}) {
		if e != nil {
			return n, e
		}
		if seen[info.Key] {
			t.Errorf("%v is listed twice", info.Key)
		}
		seen[info.Key] = true
		n++
	}
	return n, nil
}

func wantRead(t testing.TB, p *Pool, s storetest.Segment, index int) {
	t.Helper()
	got, err := storetest.ReadAll(t.Context(), p, s.Key(vault, index))
	if err != nil || string(got) != string(s.Rows[index]) {
		t.Errorf("read row %d: %d bytes, %v", index, len(got), err)
	}
}

// Law: while a volume is away nothing is said to be not found, and what is on the others
// is served, removed, discarded and called back as ever.
func TestVolumeAway(t *testing.T) {
	a, b := mem.New(1<<20), mem.New(1<<20)
	p := pooled(t, a, b)
	s := segment(t, 10_000, 1)
	must(t, s.Put(t.Context(), a, vault, 0))
	must(t, s.Put(t.Context(), b, vault, 1))
	must(t, s.Put(t.Context(), b, vault, 2))
	must(t, b.Discard(t.Context(), s.Key(vault, 2), reason))
	must(t, p.Detach(name(1), errAway))
	ctx := t.Context()
	for _, i := range []int{1, 2, 3} {
		key := s.Key(vault, i)
		_, opened := p.Open(ctx, key)
		_, stat := p.Stat(ctx, key)
		_, trashed := p.Discarded(ctx, key)
		for what, err := range map[string]error{
			"open": opened, "stat": stat, "look into the trash": trashed, "remove": p.Remove(ctx, key),
			"discard": p.Discard(ctx, key, reason), "recall": p.Recall(ctx, key), "erase": p.Erase(ctx, key),
		} {
			if !errors.Is(err, store.ErrPaused) || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s of shard %d: %v", what, i, err)
			}
		}
	}
	wantRead(t, p, s, 0)
	if n, err := listed(t, p); n != 1 || !errors.Is(err, store.ErrPaused) || !errors.Is(err, errAway) {
		t.Errorf("%d listed, then %v", n, err)
	}
	for d, err := range p.Discards(ctx, ident.CID{}) {
		if !errors.Is(err, store.ErrPaused) {
			t.Errorf("in the trash: %+v, %v", d, err)
		}
	}
	must(t, p.Discard(ctx, s.Key(vault, 0), reason))
	must(t, p.Recall(ctx, s.Key(vault, 0)))
	if u, err := p.Usage(ctx); err != nil || u.Shards != 1 || u.Capacity != 1<<20 {
		t.Errorf("usage %+v, %v", u, err)
	}
	must(t, p.Remove(ctx, s.Key(vault, 0)))
	must(t, p.Attach(name(1), b))
	wantRead(t, p, s, 1)
	if _, err := p.Stat(ctx, s.Key(vault, 3)); !errors.Is(err, store.ErrNotFound) {
		t.Error("with all volumes there:", err)
	}
}

func TestAllAway(t *testing.T) {
	p := pooled(t, mem.New(1<<20), mem.New(1<<20))
	s := segment(t, 10_000, 1)
	must(t, p.Detach(name(0), errAway))
	must(t, s.Put(t.Context(), p, vault, 0)) // the other one takes it
	must(t, p.Detach(name(1), errAway))
	if err := s.Put(t.Context(), p, vault, 1); !errors.Is(err, store.ErrPaused) {
		t.Error("put:", err)
	}
	if _, err := p.Drain(t.Context(), name(1), atMost(1)); !errors.Is(err, store.ErrPaused) {
		t.Error("drain:", err)
	}
}

// closed is a shelf that was closed under the pool.
type closed struct{ *mem.Shelf }

func (closed) Usage(ctx context.Context) (store.Usage, error) { return store.Usage{}, fs.ErrClosed }

func (closed) Stat(ctx context.Context, _ store.Key) (store.Info, error) {
	return store.Info{}, fs.ErrClosed
}

// What is closed between two looks is away, and not lost.
func TestClosedUnderThePool(t *testing.T) {
	p := pooled(t, mem.New(1), closed{mem.New(1)})
	if _, err := p.Stat(t.Context(), segment(t, 1000, 1).Key(vault, 0)); !errors.Is(err, store.ErrPaused) {
		t.Error(err)
	}
	if u, err := p.Usage(t.Context()); err != nil || u.Capacity != 1 {
		t.Errorf("usage %+v, %v", u, err)
	}
}

// A shard that was put while its volume was away is there twice when that is back: it is
// listed once, served, and one copy goes when somebody tidies up.
func TestTwoCopies(t *testing.T) {
	a, b := mem.New(1<<20), mem.New(1<<20)
	p := pooled(t, a, b)
	s := segment(t, 10_000, 1)
	for i := range 3 {
		must(t, s.Put(t.Context(), b, vault, i))
	}
	must(t, b.Discard(t.Context(), s.Key(vault, 2), reason))
	must(t, p.Detach(name(1), errAway))
	for i := range 3 {
		must(t, s.Put(t.Context(), p, vault, i))
	}
	must(t, p.Attach(name(1), b))
	if n, err := listed(t, p); n != 3 || err != nil {
		t.Errorf("%d listed, %v", n, err)
	}
	for _, err := range p.Discards(t.Context(), ident.CID{}) {
		t.Error("in the trash, although it is on the shelf:", err)
	}
	if _, err := p.Discarded(t.Context(), s.Key(vault, 2)); !errors.Is(err, store.ErrNotFound) {
		t.Error("in the trash, although it is on the shelf:", err)
	}
	taken, err := p.Tidy(t.Context())
	if taken != 3 || err != nil {
		t.Errorf("%d copies taken away, %v", taken, err)
	}
	u, err := p.Usage(t.Context())
	if err != nil || u.Shards != 3 || u.Trashed != 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
	for i := range 3 {
		wantRead(t, p, s, i)
	}
}

// What is removed, or put into the trash, is so on every volume.
func TestTwoCopiesGoTogether(t *testing.T) {
	a, b := mem.New(1<<20), mem.New(1<<20)
	p := pooled(t, a, b)
	s := segment(t, 10_000, 1)
	for i := range 2 {
		must(t, s.Put(t.Context(), a, vault, i))
		must(t, s.Put(t.Context(), b, vault, i))
	}
	must(t, p.Remove(t.Context(), s.Key(vault, 0)))
	must(t, p.Discard(t.Context(), s.Key(vault, 1), reason))
	if u, err := p.Usage(t.Context()); err != nil || u.Shards != 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
	must(t, p.Erase(t.Context(), s.Key(vault, 1)))
	if u, _ := p.Usage(t.Context()); u.Used != 0 {
		t.Errorf("usage %+v", u)
	}
}
