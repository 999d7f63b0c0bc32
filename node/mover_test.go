package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
	"holdfast/store"
)

var errKilled = errors.New("killed")

// mortalTrash stops before, or after, one of its moves, as a node that is killed.
type mortalTrash struct {
	store.Trash
	left  int  // moves until then
	after bool // the last one is done
}

func (m *mortalTrash) move(f func() error) error {
	if m.left < 0 || m.left == 0 && !m.after {
		m.left = -1
		return errKilled
	}
	m.left--
	if err := f(); err != nil {
		return err
	}
	if m.left < 0 {
		return errKilled
	}
	return nil
}

func (m *mortalTrash) Discard(ctx context.Context, k store.Key, why store.Reason) error {
	return m.move(func() error { return m.Trash.Discard(ctx, k, why) })
}

func (m *mortalTrash) Recall(ctx context.Context, k store.Key) error {
	return m.move(func() error { return m.Trash.Recall(ctx, k) })
}

func (m *mortalTrash) Erase(ctx context.Context, k store.Key) error {
	return m.move(func() error { return m.Trash.Erase(ctx, k) })
}

// killed makes the node that is started again on what a killed one has left: nothing
// that was only in memory. The book's changes that waited are lost, or were written.
func (b *bench) killed(written bool) *bench {
	b.t.Helper()
	if written {
		must(b.t, b.parts().book.flush())
	}
	dir := b.t.TempDir()
	must(b.t, os.CopyFS(filepath.Join(dir, volumeName), os.DirFS(b.dir())))
	again := newBenchAt(b.t, dir, len(b.vault.Members))
	again.clock.t = b.clock.now()
	must(b.t, again.parts().reconcile(b.t.Context()))
	return again
}

// Law: wherever a node is killed between two moves of a release, each shard is in one
// place, nothing is erased without a tombstone, and the node that is started again
// comes to the end that it would have come to.
func TestKilledBetweenMoves(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, written := range []bool{false, true} {
			for step := 0; ; step++ {
				if !killAt(t, step, after, written) {
					break
				}
			}
		}
	}
}

// killAt kills a node at a step of a release of two shards, and checks what the next
// one makes of it. It is false if there is no such step.
func killAt(t *testing.T, step int, after, written bool) (killed bool) {
	b := newBench(t, 4)
	var segments []ident.CID
	var keys []store.Key
	for i := range 2 {
		g, k := b.certifiedShard(uint64(i))
		segments, keys = append(segments, g.CID), append(keys, k)
	}
	must(t, b.parts().book.flush())
	c := b.court()
	r := c.release(segments...)
	f := c.follower()
	chain, err := f.charters.newest(t.Context(), b.vault.ID())
	must(t, err)
	must(t, f.learn(t.Context(), chain))
	p := b.parts()
	m := f.mover(p)
	m.trash = &mortalTrash{Trash: p.shelf, left: step, after: after}
	stay := b.vault.Charter.Terms().Trash
	err = m.discard(t.Context(), r)
	if err == nil {
		err = m.recall(t.Context(), r.Vault, []ident.CID{r.CID()})
	}
	if err == nil {
		err = m.discard(t.Context(), r)
	}
	if err == nil {
		b.clock.advance(stay)
		err = m.erase(t.Context(), r, stay)
	}
	if err != nil && !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	again := b.killed(written)
	for _, k := range keys {
		if at := again.where(k); at == "both" || at == "nowhere" || at == "erased" && !errors.Is(err, errKilled) && err != nil {
			t.Errorf("killed at %d, after %v: a shard is %s", step, after, at)
		}
		rec, known := again.record(k)
		if at := again.where(k); known != (at != "erased") || rec.Trashed != (at == "trash") {
			t.Errorf("killed at %d, after %v: a shard is %s, in the book %+v", step, after, at, rec)
		}
	}
	next := again.court()
	next.serves, next.jurors = c.serves, c.jurors
	follow := next.follower()
	next.look(follow)
	again.clock.advance(stay)
	next.look(follow)
	if n := again.erasedOf(keys); n != len(keys) {
		t.Errorf("killed at %d, after %v, book written %v: %d are erased in the end", step, after, written, n)
	}
	if u := again.parts().book.used(r.Vault, again.session().peer); u != (usage{}) {
		t.Errorf("killed at %d, after %v: %+v is still charged", step, after, u)
	}
	return errors.Is(err, errKilled)
}

// A shard of a release that the book does not call certified stays until it does.
func TestOnlyCertifiedShardsAreRetired(t *testing.T) {
	b, _ := newBook(t)
	k := shardKey("v", 1, 0)
	never := func() error { t.Error("it is moved"); return nil }
	for _, c := range []struct {
		name string
		is   *record
	}{
		{"not in the book", nil},
		{"provisional", &record{Device: deviceA, Size: 1}},
		{"in the trash", &record{Device: deviceA, Size: 1, Certified: true, Trashed: true}},
	} {
		if c.is != nil {
			must(t, b.change(k, func(record, bool) (record, bool) { return *c.is, true }))
		}
		if gone, err := b.retire(k, never); gone || err != nil {
			t.Errorf("%s: %v, %v", c.name, gone, err)
		}
	}
	must(t, b.change(k, func(r record, _ bool) (record, bool) { r.Trashed = false; return r, true }))
	if gone, err := b.erase(k, never); gone || err != nil {
		t.Errorf("erased from the shelf: %v, %v", gone, err)
	}
	trouble := errors.New("trouble")
	if gone, err := b.retire(k, func() error { return trouble }); gone || !errors.Is(err, trouble) {
		t.Errorf("%v, %v", gone, err)
	}
	if gone, err := b.retire(k, func() error { return nil }); !gone || err != nil {
		t.Errorf("%v, %v", gone, err)
	}
	if r, _, _ := b.get(k); !r.Trashed || r.due(ledgertest.Start().AddDate(9, 0, 0)) {
		t.Errorf("%+v", r)
	}
}

// The volume goes away between asking and moving: nothing is done to what may be in
// its place.
func TestReleaseWithoutVolume(t *testing.T) {
	b := newBench(t, 4)
	g, _ := b.certifiedShard(1)
	c := b.court()
	c.release(g.CID)
	c.during = func() { c.during = nil; b.wipe() }
	f := c.follower()
	if _, err := f.look(t.Context(), b.vault.ID()); !errors.Is(err, store.ErrPaused) {
		t.Error(err)
	}
	b.wantEmpty()
}
