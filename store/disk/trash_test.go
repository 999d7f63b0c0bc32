package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/storetest"
)

var why = store.Reason{Release: storetest.Release("r"), Time: 1_700_000_000_000}

// A move that fails at any step leaves the shard in one of its two places, says why,
// and can be repeated.
func TestDiscardFailsAtEveryStep(t *testing.T) {
	files := &faultyFiles{left: -1}
	config := newVolume(t, 1<<30)
	config.files = files
	d := mustOpen(t, config)
	s := segment(t, 2000, 1)
	key := mustPut(t, d, s, 1)
	discard := func() error { return d.Discard(t.Context(), key, why) }
	recall := func() error { return d.Recall(t.Context(), key) }
	for _, c := range []struct {
		name         string
		before, move func() error
	}{
		{"discard", func() error { return nil }, discard},
		{"recall", discard, recall},
	} {
		for n := 0; ; n++ {
			if err := c.before(); err != nil {
				t.Fatal(err)
			}
			files.arm(n, syscall.EIO)
			err := c.move()
			made := files.made
			files.arm(-1, nil)
			if len(made) > n && err == nil && made[n] != "link" {
				t.Errorf("%s: step %d of %v fails and the move does not", c.name, n, made)
			}
			if on, in := d.exists(key), d.isDiscarded(key); on == in {
				t.Errorf("%s: step %d of %v: on the shelf %v, in the trash %v", c.name, n, made, on, in)
			}
			wantBooks(t, d)
			// Back onto the shelf, wherever it is.
			if err := recall(); err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			mustRead(t, d, s, key)
			wantBooks(t, d)
			if len(made) <= n {
				break
			}
		}
	}
}

// A crash between any two steps leaves the shard in one place, and the books right.
func TestDiscardCrashesAtEveryStep(t *testing.T) {
	for n := 0; ; n++ {
		config := newVolume(t, 1<<30)
		files := &stoppingFiles{left: -1}
		config.files = files
		d := mustOpen(t, config)
		s := segment(t, 2000, 1)
		key := mustPut(t, d, s, 1)
		if err := d.flush(); err != nil {
			t.Fatal(err)
		}
		files.left = n
		err := d.Discard(t.Context(), key, why)
		if err == nil {
			err = d.Recall(t.Context(), key)
		}
		crash(t, d)
		config.files = nil
		d = mustOpen(t, config)
		wantBooks(t, d)
		if on, in := d.exists(key), d.isDiscarded(key); on == in {
			t.Errorf("crash after %d steps: on the shelf %v, in the trash %v", n, on, in)
		}
		recallAll(t, d, []storetest.Segment{s})
		mustRead(t, d, s, key)
		if err == nil {
			return
		}
	}
}

// stoppingFiles performs nothing any more after so many operations, as a process
// that was killed. Negative is never.
type stoppingFiles struct {
	osFiles
	left int
}

func (f *stoppingFiles) step() error {
	if f.left == 0 {
		return errPower
	}
	if f.left > 0 {
		f.left--
	}
	return nil
}

func (f *stoppingFiles) link(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.osFiles.link(from, to)
}

func (f *stoppingFiles) rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.osFiles.rename(from, to)
}

func (f *stoppingFiles) remove(path string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.osFiles.remove(path)
}

func (f *stoppingFiles) syncDir(path string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.osFiles.syncDir(path)
}

// Without hard links a shard is renamed, and the index is rebuilt after a crash.
func TestDiscardWithoutLinks(t *testing.T) {
	config := newVolume(t, 1<<30)
	config.files = noLinks{}
	storetest.TestTrash(t, func(t testing.TB, capacity int64) storetest.Full {
		c := newVolume(t, capacity)
		c.files = noLinks{}
		return mustOpen(t, c)
	})
	d := mustOpen(t, config)
	s := segment(t, 2000, 1)
	key := mustPut(t, d, s, 1)
	if err := errors.Join(d.flush(), d.Discard(t.Context(), key, why)); err != nil {
		t.Fatal(err)
	}
	crash(t, d)
	seen := new(events)
	config.Report = seen.report
	d = mustOpen(t, config)
	if err := d.Rebuild(t.Context()); err != nil || !d.isDiscarded(key) {
		t.Errorf("rebuild: %v, in the trash: %v", err, d.isDiscarded(key))
	}
	if n := seen.count(Lost); n != 0 {
		t.Errorf("%d shards in the trash were reported as lost", n)
	}
	wantBooks(t, d)
}

// A volume that was made before there was a trash opens, and has an empty one.
func TestVolumeWithoutTrash(t *testing.T) {
	config := newVolume(t, 1<<30)
	d := mustOpen(t, config)
	s := segment(t, 2000, 1)
	key := mustPut(t, d, s, 1)
	mustClose(t, d)
	if err := os.Remove(d.at.trash()); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, config)
	mustRead(t, d, s, key)
	if err := d.Discard(t.Context(), key, why); err != nil {
		t.Error(err)
	}
	wantBooks(t, d)
}

// The trash is as it was when the volume is opened again, also what lies in it and
// is none of ours.
func TestTrashIsKept(t *testing.T) {
	config := newVolume(t, 1<<30)
	d := mustOpen(t, config)
	s := segment(t, 2000, 1)
	key := mustPut(t, d, s, 1)
	if err := d.Discard(t.Context(), key, why); err != nil {
		t.Fatal(err)
	}
	before := mustUsage(t, d)
	mustClose(t, d)
	for _, name := range []string{"note", shardName(key), discardedName(s.Key(v, 2), why) + ".old"} {
		if err := os.WriteFile(filepath.Join(d.at.bin(key), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d = mustOpen(t, config)
	if u := mustUsage(t, d); u != before {
		t.Errorf("usage %+v, before %+v", u, before)
	}
	for found, err := range d.Discards(t.Context(), ident.CID{}) {
		if err != nil || found.Key != key || found.Reason != why || found.Bytes != before.Trashed {
			t.Errorf("found %+v, %v", found, err)
		}
	}
	recallAll(t, d, []storetest.Segment{s})
	mustRead(t, d, s, key)
}

// Nothing is said about a trash that is not there.
func TestTrashOfAVolumeThatIsGone(t *testing.T) {
	config := newVolume(t, 1<<30)
	d := mustOpen(t, config)
	key := mustPut(t, d, segment(t, 2000, 1), 1)
	if err := os.Rename(config.Dir, config.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	for _, err := range d.Discards(t.Context(), ident.CID{}) {
		if !errors.Is(err, store.ErrPaused) {
			t.Errorf("list trash: %v", err)
		}
	}
	for name, err := range map[string]error{
		"discard": d.Discard(t.Context(), key, why), "recall": d.Recall(t.Context(), key), "erase": d.Erase(t.Context(), key),
	} {
		if !errors.Is(err, store.ErrPaused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Law: a name in the trash is read back as what it was made of, and no other name is
// taken for one.
func FuzzParseDiscarded(f *testing.F) {
	s := storetest.Vault("segment")
	f.Add(discardedName(store.Key{Vault: v, Segment: s, Index: 7}, why))
	f.Add(s.Hex() + ".007.1." + s.Hex())
	f.Add(s.Hex() + ".7.-1." + s.Hex())
	f.Add(s.Hex() + ".7.1." + s.Hex() + ".")
	f.Add("...")
	f.Fuzz(func(t *testing.T, name string) {
		key, reason, ok := parseDiscarded(v, name)
		if ok && (discardedName(key, reason) != name || !key.Valid() || !reason.Valid()) {
			t.Errorf("%q is read as %v, %+v", name, key, reason)
		}
	})
}
