package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/storetest"
)

// crash ends a shelf as a killed process would: what has not been flushed is gone.
func crash(t testing.TB, d *Disk) {
	t.Helper()
	d.life.Lock()
	defer d.life.Unlock()
	d.closed = true
	close(d.stop)
	d.loop.Wait()
	if err := d.index.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// noLinks is a file system without hard links.
type noLinks struct{ osFiles }

func (noLinks) link(from, to string) error {
	return &os.LinkError{Op: "link", Old: from, New: to, Err: errors.ErrUnsupported}
}

func TestIndexSurvivesCrashes(t *testing.T) {
	config := newVolume(t, 1<<20)
	d := mustOpen(t, config)
	a, b := segment(t, 1000, 1), segment(t, 2000, 2)
	keyA := mustPut(t, d, a, 1)
	crash(t, d)

	d = mustOpen(t, config)
	wantBooks(t, d)
	mustRead(t, d, a, keyA)
	if d.Stale() || len(names(t, d.at.tmp())) != 0 {
		t.Errorf("stale %v, tmp %v", d.Stale(), names(t, d.at.tmp()))
	}
	// A put that the index knows already, one that it does not, and a removal.
	mustPut(t, d, b, 0)
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	mustPut(t, d, b, 2)
	if err := d.Remove(t.Context(), keyA); err != nil {
		t.Fatal(err)
	}
	crash(t, d)

	d = mustOpen(t, config)
	wantBooks(t, d)
	if u := mustUsage(t, d); u.Shards != 2 {
		t.Errorf("usage %+v", u)
	}
	// Put and removed, removed and put, before the index knew of either.
	if err := d.Remove(t.Context(), b.Key(v, 0)); err != nil {
		t.Fatal(err)
	}
	mustPut(t, d, b, 0)
	mustPut(t, d, a, 1)
	if err := d.Remove(t.Context(), keyA); err != nil {
		t.Fatal(err)
	}
	crash(t, d)

	d = mustOpen(t, config)
	wantBooks(t, d)
	if u := mustUsage(t, d); u.Shards != 2 {
		t.Errorf("usage %+v", u)
	}
	mustRead(t, d, b, b.Key(v, 0))
}

func TestHintsAreRemovedAfterAFlush(t *testing.T) {
	d := newDisk(t)
	s := segment(t, 1000, 1)
	for i := range 4 {
		mustPut(t, d, s, i)
	}
	if err := d.Remove(t.Context(), s.Key(v, 0)); err != nil {
		t.Fatal(err)
	}
	if n := len(names(t, d.at.tmp())); n != 5 {
		t.Errorf("%d hints", n)
	}
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	if n := names(t, d.at.tmp()); len(n) != 0 || d.index.backlog() != 0 {
		t.Errorf("left in tmp: %v", n)
	}
}

func TestSweepRemovesWhatIsNoShard(t *testing.T) {
	config := newVolume(t, 1<<20)
	d := mustOpen(t, config)
	key := mustPut(t, d, segment(t, 100_000, 1), 1)
	whole, err := os.ReadFile(d.at.shard(key))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string][]byte{"empty": nil, "garbage": []byte("garbage"), "half": whole[:len(whole)/2], "whole": whole} {
		if err := os.WriteFile(filepath.Join(d.at.tmp(), name), p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(d.at.tmp(), "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	crash(t, d)
	d = mustOpen(t, config)
	if n := names(t, d.at.tmp()); len(n) != 0 {
		t.Errorf("left in tmp: %v", n)
	}
	wantBooks(t, d)
}

// Without hard links there are no hints. The index says that it is stale, what is
// found by the way is taken up, and Rebuild finds the rest.
func TestCrashWithoutLinks(t *testing.T) {
	config := newVolume(t, 1<<20)
	config.files = noLinks{}
	d := mustOpen(t, config)
	if d.Stale() {
		t.Error("stale when it was closed in order")
	}
	s := segment(t, 1000, 1)
	for i := range 3 {
		mustPut(t, d, s, i)
	}
	crash(t, d)

	d = mustOpen(t, config)
	if u := mustUsage(t, d); !d.Stale() || u.Shards != 0 {
		t.Errorf("stale %v, usage %+v", d.Stale(), u)
	}
	mustRead(t, d, s, s.Key(v, 1))
	if u := mustUsage(t, d); u.Shards != 1 {
		t.Errorf("usage %+v after one was read", u)
	}
	mustClose(t, d)
	d = mustOpen(t, config)
	if !d.Stale() {
		t.Error("no longer stale, without a rebuild")
	}
	mustPut(t, d, s, 2)
	if err := d.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.Stale() {
		t.Error("stale after a rebuild")
	}
	wantBooks(t, d)
	mustClose(t, d)
	d = mustOpen(t, config)
	if d.Stale() {
		t.Error("stale after a rebuild and closing in order")
	}
	wantBooks(t, d)
}

func TestRebuildFromNothing(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"missing": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"garbage": func(path string) error { return os.WriteFile(path, make([]byte, 100_000), 0o600) },
		"half":    func(path string) error { return os.Truncate(path, 20_000) },
	} {
		t.Run(name, func(t *testing.T) {
			config := newVolume(t, 1<<30)
			d := mustOpen(t, config)
			keys := make(map[store.Key]storetest.Segment)
			for i := range 20 {
				s := segment(t, 1000+i, uint64(i))
				keys[mustPut(t, d, s, i%4)] = s
			}
			mustClose(t, d)
			if err := spoil(d.at.index()); err != nil {
				t.Fatal(err)
			}
			d = mustOpen(t, config)
			for key, s := range keys {
				mustRead(t, d, s, key)
				break
			}
			// Half a database may look like a whole one until it is gone through.
			if !d.Stale() && name != "half" {
				t.Error("not stale")
			}
			if err := d.Rebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantBooks(t, d)
			if u := mustUsage(t, d); u.Shards != 20 {
				t.Errorf("usage %+v", u)
			}
		})
	}
}

// An index that names shards that are gone, beside files that are nobody's business.
func TestRebuildForgetsTheLost(t *testing.T) {
	seen := new(events)
	config := newVolume(t, 1<<30)
	config.Report = seen.report
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	for i := range 4 {
		mustPut(t, d, s, i)
	}
	vault := filepath.Dir(d.at.folder(s.Key(v, 0)))
	for _, path := range []string{
		d.at.shards() + "/readme", vault + "/.stray", d.at.shard(s.Key(v, 0)) + "0000",
		d.at.folder(s.Key(v, 0)) + "/" + s.CID.Hex() + ".01", d.at.folder(s.Key(v, 0)) + "/" + s.CID.String() + ".1",
	} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(d.at.shard(s.Key(v, 2))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.at.shard(s.Key(v, 3)), []byte("corrupt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := mustUsage(t, d); u.Shards != 2 || seen.count(Lost) != 1 || seen.count(Corrupt) != 1 {
		t.Errorf("usage %+v, events %+v", u, seen.list)
	}
	mustRead(t, d, s, s.Key(v, 0))
}

// Files that are gone are noticed by the names in their folders, and the others stay.
func TestSurvey(t *testing.T) {
	seen := new(events)
	config := newVolume(t, 1<<30)
	config.Report = seen.report
	d := mustOpen(t, config)
	s, other := segment(t, 1000, 1), segment(t, 1000, 2)
	for i := range 4 {
		mustPut(t, d, s, i)
		mustPut(t, d, other, i)
	}
	for _, path := range []string{d.at.shard(s.Key(v, 2)), d.at.folder(other.Key(v, 0))} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := mustUsage(t, d); u.Shards != 3 || seen.count(Lost) != 5 {
		t.Errorf("usage %+v, events %+v", u, seen.list)
	}
	wantBooks(t, d)
	mustRead(t, d, s, s.Key(v, 0))
}

// The index is mapped into memory. If the file shrinks underneath, as on a disk that
// is pulled out, operations fail and the process lives.
func TestIndexPulledOutUnderneath(t *testing.T) {
	seen := new(events)
	config := newVolume(t, 1<<30)
	config.Report = seen.report
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	for i := range 4 {
		mustPut(t, d, s, i)
	}
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.at.index(), 0); err != nil {
		t.Fatal(err)
	}
	var err error
	for _, e := range d.List(t.Context(), ident.CID{}) {
		err = e
	}
	if !errors.Is(err, errIndex) {
		t.Errorf("list: %v", err)
	}
	// Shards are not concerned: they can be read, put and removed.
	other := segment(t, 1000, 2)
	mustPut(t, d, other, 0)
	mustRead(t, d, other, other.Key(v, 0))
	mustRead(t, d, s, s.Key(v, 0))
	if err := d.Remove(t.Context(), s.Key(v, 3)); err != nil {
		t.Error(err)
	}
	if !d.Stale() || seen.count(IndexFailed) == 0 {
		t.Errorf("stale %v, events %+v", d.Stale(), seen.list)
	}
	if err := d.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantBooks(t, d)
	if d.Stale() {
		t.Error("stale after a rebuild")
	}
	// Once more, and closed in this state.
	if err := os.Truncate(d.at.index(), 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); !errors.Is(err, errIndex) {
		t.Errorf("close: %v", err)
	}
	d = mustOpen(t, config)
	if !d.Stale() {
		t.Error("not stale")
	}
	if err := d.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantBooks(t, d)
}

// List goes on behind the last key that it gave, through many pages.
func TestListPages(t *testing.T) {
	d := newDisk(t)
	const n = 2*pageSize + 3
	seg := segment(t, 100, 1)
	want := make(map[store.Key]bool)
	for i := range n {
		// Only the index is concerned.
		key := store.Key{Vault: storetest.Vault([]string{"a", "b"}[i%2]), Segment: ident.SumDagCBOR([]byte{byte(i), byte(i >> 8)}), Index: i % 4}
		want[key] = true
		d.index.set(key, &entry{100, seg.Descriptor}, "")
	}
	var last store.Key
	for info, err := range d.List(t.Context(), ident.CID{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !want[info.Key] || last != (store.Key{}) && last.Compare(info.Key) >= 0 {
			t.Fatalf("%v after %v", info.Key, last)
		}
		delete(want, info.Key)
		last = info.Key
	}
	if len(want) != 0 {
		t.Errorf("%d not listed", len(want))
	}
	count := 0
	for info, err := range d.List(t.Context(), storetest.Vault("b")) {
		if err != nil || info.Vault != storetest.Vault("b") {
			t.Fatalf("%+v, %v", info, err)
		}
		count++
	}
	if count != n/2 {
		t.Errorf("%d of one vault", count)
	}
}
