package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
)

// folders flushes folders so that those who want the same one flushed share the
// work, and makes folders that survive a crash.
type folders struct {
	files filesystem
	roots []string // made and flushed when the volume was created, or opened

	mu      sync.Mutex
	active  map[string]*folder
	durable map[string]struct{} // folders whose entry in their parent is known to be on disk
}

// folder is one that is being flushed.
type folder struct {
	running sync.Mutex // held during a flush
	next    *flush     // has not begun yet: newcomers join it
	leaders int
}

// flush is one flush of a folder, with everybody who waits for it.
type flush struct {
	done chan struct{}
	err  error // set before done is closed
}

// maxDurable bounds the memory for what is known; it takes about 10 MB.
const maxDurable = 1 << 16

func newFolders(files filesystem, roots ...string) *folders {
	return &folders{files: files, roots: roots, active: make(map[string]*folder), durable: make(map[string]struct{})}
}

// sync returns when everything that was done to the folder before the call is on
// disk. Callers that come while a flush is running wait together for the next one:
// the running one may have missed what they did.
func (f *folders) sync(path string) error {
	dir, own, lead := f.join(path)
	if !lead {
		<-own.done
		return own.err
	}
	dir.running.Lock()
	f.mu.Lock()
	dir.next = nil
	f.mu.Unlock()
	own.err = f.files.syncDir(path)
	dir.running.Unlock()
	f.mu.Lock()
	if dir.leaders--; dir.leaders == 0 {
		delete(f.active, path)
	}
	f.mu.Unlock()
	close(own.done)
	return own.err
}

// join returns the flush that will cover what has been done so far. The first to
// ask for one leads it.
func (f *folders) join(path string) (dir *folder, own *flush, lead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = f.active[path]
	if dir == nil {
		dir = new(folder)
		f.active[path] = dir
	}
	if dir.next == nil {
		dir.next = &flush{done: make(chan struct{})}
		dir.leaders++
		lead = true
	}
	return dir, dir.next, lead
}

// ensure makes a folder below a root, with its parents, and returns when it
// survives a crash. A folder that is there may have been made by a process that was
// killed before it could flush, so each is flushed once by every process.
func (f *folders) ensure(path string) error {
	if slices.Contains(f.roots, path) || f.isDurable(path) {
		return nil
	}
	parent := filepath.Dir(path)
	if err := f.ensure(parent); err != nil {
		return err
	}
	if err := f.files.mkdir(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := f.sync(parent); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.durable) >= maxDurable {
		clear(f.durable)
	}
	f.durable[path] = struct{}{}
	return nil
}

func (f *folders) isDurable(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.durable[path]
	return ok
}

// forget is for when a folder has turned out to be gone.
func (f *folders) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.durable)
}
