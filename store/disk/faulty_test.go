package disk

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"testing"

	"holdfast/store"
)

// faultyFiles fails the n-th operation that changes the disk, once, with err.
type faultyFiles struct {
	osFiles
	mu   sync.Mutex
	left int // operations until the failure; negative for none
	err  error
	made []string // names of the operations
}

func (f *faultyFiles) step(op, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made = append(f.made, op)
	if f.left--; f.left == -1 {
		return &fs.PathError{Op: op, Path: path, Err: f.err}
	}
	return nil
}

func (f *faultyFiles) arm(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.err, f.made = n, err, nil
}

func (f *faultyFiles) create(path string) (file, error) {
	if err := f.step("create", path); err != nil {
		return nil, err
	}
	inner, err := f.osFiles.create(path)
	return faultyFile{inner, f, path}, err
}

func (f *faultyFiles) link(from, to string) error {
	if err := f.step("link", to); err != nil {
		return err
	}
	return f.osFiles.link(from, to)
}

func (f *faultyFiles) rename(from, to string) error {
	if err := f.step("rename", to); err != nil {
		return err
	}
	return f.osFiles.rename(from, to)
}

func (f *faultyFiles) mkdir(path string) error {
	if err := f.step("mkdir", path); err != nil {
		return err
	}
	return f.osFiles.mkdir(path)
}

func (f *faultyFiles) syncDir(path string) error {
	if err := f.step("syncDir", path); err != nil {
		return err
	}
	return f.osFiles.syncDir(path)
}

type faultyFile struct {
	file
	f    *faultyFiles
	path string
}

// Write may get half of it done, as a full disk does.
func (f faultyFile) Write(p []byte) (int, error) {
	if err := f.f.step("write", f.path); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f faultyFile) Sync() error {
	if err := f.f.step("sync", f.path); err != nil {
		return err
	}
	return f.file.Sync()
}

// A put that fails at any step leaves nothing behind, says why, and can be repeated.
func TestPutFailsAtEveryStep(t *testing.T) {
	files := &faultyFiles{left: -1}
	config := newVolume(t, 1<<30)
	config.files = files
	d := mustOpen(t, config)
	for _, c := range []struct {
		cause, want error
	}{
		{syscall.ENOSPC, store.ErrFull},
		{syscall.EDQUOT, store.ErrFull},
		{syscall.EIO, syscall.EIO},
	} {
		for n := 0; ; n++ {
			s := segment(t, 2*700_000, uint64(n)) // more than one buffer
			key := s.Key(v, 1)
			files.arm(n, c.cause)
			err := s.Put(t.Context(), d, v, 1)
			made := files.made
			files.arm(-1, nil)
			if len(made) <= n {
				break // the put has fewer steps than that
			}
			switch {
			case err == nil && made[n] == "link":
				// As on a file system without links, which is put up with.
			case err == nil:
				t.Errorf("step %d of %v fails and the put does not", n, made)
			default:
				wantFailedPut(t, d, key, err, c.want)
			}
			mustPut(t, d, s, 1)
			mustRead(t, d, s, key)
			wantBooks(t, d)
			if err := d.Remove(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			wantBooks(t, d)
		}
	}
}

func wantFailedPut(t *testing.T, d *Disk, key store.Key, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("put: %v; want %v", err, want)
	}
	if _, err := d.Stat(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("stat after a failed put: %v", err)
	}
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	if n := names(t, d.at.tmp()); len(n) != 0 {
		t.Errorf("left in tmp: %v", n)
	}
	if u, w := mustUsage(t, d), onDisk(t, d); u.Used != w.Used || u.Shards != w.Shards || d.space.reserved != 0 {
		t.Errorf("usage %+v, %d reserved, on disk %+v", u, d.space.reserved, w)
	}
}

// A flush of the folder that fails after the file is in place must not take back
// what an earlier put has promised.
func TestFailedPutKeepsAnEarlierOne(t *testing.T) {
	files := &faultyFiles{left: -1}
	config := newVolume(t, 1<<30)
	config.files = files
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	// The second put begins before the first one has its place.
	key := s.Key(v, 1)
	r := &hookReader{r: newReader(s.Rows[1]), hook: func() error {
		err := s.Put(t.Context(), d, v, 1)
		// create has happened; write, sync, link (exists), rename, then the folder.
		files.arm(4, syscall.EIO)
		return err
	}}
	if err := d.Put(t.Context(), key, s.Descriptor, r); !errors.Is(err, syscall.EIO) {
		t.Errorf("put: %v, after %v", err, files.made)
	}
	mustRead(t, d, s, key)
	wantBooks(t, d)
}

// Trouble with a file that is there is neither a loss nor a corruption.
func TestUnreadableIsNotCorrupt(t *testing.T) {
	seen := new(events)
	config := newVolume(t, 1<<30)
	config.Report = seen.report
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	key := mustPut(t, d, s, 1)
	path := d.at.shard(key)
	// A folder in the place of the file can be opened and not be read.
	if err := errors.Join(os.Rename(path, path+".away"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	_, err := d.Stat(t.Context(), key)
	if err == nil || errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("stat: %v", err)
	}
	if len(seen.list) != 1 || seen.list[0].Kind != Unreadable {
		t.Errorf("events %+v", seen.list)
	}
	if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
		t.Fatal(err)
	}
	mustRead(t, d, s, key)
	wantBooks(t, d)
}
