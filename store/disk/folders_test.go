package disk

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// slowFiles counts flushes of folders, and holds them back until it is told.
type slowFiles struct {
	osFiles
	mu    sync.Mutex
	syncs map[string]int
	free  chan struct{} // closed to let all flushes through
}

func (f *slowFiles) syncDir(path string) error {
	f.mu.Lock()
	f.syncs[path]++
	f.mu.Unlock()
	<-f.free
	return f.osFiles.syncDir(path)
}

func (f *slowFiles) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs[path]
}

// waitFor waits for a condition, and fails the test if it does not come true.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for start := time.Now(); !condition(); runtime.Gosched() {
		if time.Since(start) > time.Minute {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// Callers that come during a flush share the next one, and none is served by the
// flush that had begun before it came.
func TestFolderFlushesAreShared(t *testing.T) {
	files := &slowFiles{syncs: make(map[string]int), free: make(chan struct{})}
	dir := t.TempDir()
	f := newFolders(files, dir)
	var all sync.WaitGroup
	want := func() {
		if err := f.sync(dir); err != nil {
			t.Error(err)
		}
	}
	all.Go(want)
	waitFor(t, "the first flush", func() bool { return files.count(dir) == 1 })
	const late = 20
	var arrived sync.WaitGroup
	arrived.Add(late)
	for range late {
		all.Go(func() {
			arrived.Done()
			want()
		})
	}
	arrived.Wait()
	waitFor(t, "somebody who leads the second flush", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.active[dir].next != nil
	})
	close(files.free)
	all.Wait()
	// All who had come in time are served by the second; stragglers need one more.
	if n := files.count(dir); n < 2 || n > 4 {
		t.Errorf("%d flushes for %d callers", n, late+1)
	}
	if len(f.active) != 0 {
		t.Errorf("%d folders still active", len(f.active))
	}
}

// Concurrent puts into one folder share flushes.
func TestPutsShareFolderFlushes(t *testing.T) {
	files := &slowFiles{syncs: make(map[string]int), free: make(chan struct{})}
	close(files.free)
	config := newVolume(t, 1<<30)
	config.files = files
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	mustPut(t, d, s, 0) // makes the folder
	folder := d.at.folder(s.Key(v, 0))
	before := files.count(folder)
	files.free = make(chan struct{})
	var all sync.WaitGroup
	for i := 1; i < 4; i++ {
		all.Go(func() { mustPut(t, d, s, i) })
	}
	waitFor(t, "one put that flushes and two that wait together", func() bool {
		linked := 0
		for i := 1; i < 4; i++ {
			if d.exists(s.Key(v, i)) {
				linked++
			}
		}
		d.folders.mu.Lock()
		defer d.folders.mu.Unlock()
		f := d.folders.active[folder]
		return linked == 3 && f != nil && f.next != nil
	})
	close(files.free)
	all.Wait()
	if n := files.count(folder) - before; n > 3 {
		t.Errorf("%d flushes for 3 puts", n)
	}
	if n := files.count(d.at.shards()); n != 1 {
		t.Errorf("the top folder was flushed %d times", n)
	}
}

// A folder is made with its parents, flushed into each of them, and once.
func TestEnsureFlushesEveryParentOnce(t *testing.T) {
	files := &slowFiles{syncs: make(map[string]int), free: make(chan struct{})}
	close(files.free)
	root := t.TempDir()
	path := filepath.Join(root, "a", "b", "c")
	// One level is there already, from a process that may not have flushed it.
	if err := os.Mkdir(filepath.Join(root, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := newFolders(files, root)
	for range 3 {
		if err := f.ensure(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{root, filepath.Join(root, "a"), filepath.Join(root, "a", "b")} {
		if n := files.count(p); n != 1 {
			t.Errorf("%s flushed %d times", p, n)
		}
	}
	for i := range maxDurable {
		f.durable[string(rune(i))] = struct{}{}
	}
	if err := f.ensure(filepath.Join(root, "d")); err != nil || len(f.durable) > maxDurable {
		t.Errorf("%d folders remembered, %v", len(f.durable), err)
	}
	// Above the root nothing is made.
	if err := newFolders(files, filepath.Join(root, "no")).ensure(filepath.Join(root, "no", "a")); err == nil {
		t.Error("a root was made")
	}
}
