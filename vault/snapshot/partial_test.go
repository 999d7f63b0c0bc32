package snapshot

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/seal"
)

// partial takes the tree of what is finished.
func partial(t testing.TB, a *Archiver) seal.ChunkID {
	t.Helper()
	root, _, _, err := a.Partial(context.Background())
	if err != nil {
		t.Error(err)
	}
	return root
}

// While one file is being read, all others are in the partial tree, and restore.
func TestPartialWithoutWhatIsRead(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		putFile(t, filepath.Join(dir, fmt.Sprintf("%d/%d", i%4, i)), strings.Repeat("content ", i*300))
	}
	putFile(t, filepath.Join(dir, "2/at/slow"), "slow")
	m := newMemStore()
	reading, on, others := make(chan struct{}), make(chan struct{}), make(chan struct{})
	m.duringFile = func(first []byte) {
		if string(first) == "slow" {
			close(reading)
			<-on
		}
	}
	files := 0
	a := &Archiver{Sink: m, Options: ArchiveOptions{Workers: 2, Progress: func(e Event) {
		if e.Type == File && e.Action == Done {
			if files++; files == 20 {
				close(others)
			}
		}
	}}}
	if got := paths(t, m, partial(t, a), "/"); len(got) != 0 {
		t.Errorf("before the start: %q", got)
	}
	roots := make(chan seal.ChunkID, 1)
	go func() {
		root, _, _, err := a.Paths(t.Context(), []string{dir})
		if err != nil {
			t.Error(err)
		}
		roots <- root
	}()
	<-reading
	<-others
	some := partial(t, a)
	for range 1000 { // the last ones are told of before they are entered
		if entered(paths(t, m, some, dir), dir) {
			break
		}
		some = partial(t, a)
	}
	if slices.Contains(paths(t, m, some, dir), dir+"/2/at/slow") || find(t, m, some, dir+"/2/at").Type != Dir {
		t.Errorf("%q", paths(t, m, some, dir))
	}
	to := t.TempDir()
	restore(t, m, some, dir, RestoreOptions{Target: to})
	compare(t, describe(t, dir, "/2/at/slow"), describe(t, to))
	close(on)
	whole := <-roots
	if again := partial(t, a); again != whole {
		t.Error("when all is done the partial tree is not the tree")
	}
}

// entered reports whether all files but the slow one are among the paths.
func entered(paths []string, dir string) bool {
	for i := range 20 {
		if !slices.Contains(paths, fmt.Sprintf("%s/%d/%d", dir, i%4, i)) {
			return false
		}
	}
	return true
}

// At any moment the partial tree is a tree, what is in it is as in the whole one,
// and it only grows.
func TestPartialAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	randomTree(t, seeded(t), dir, 400)
	m := newMemStore()
	a := &Archiver{Sink: m, Options: ArchiveOptions{Workers: 4}}
	done := make(chan seal.ChunkID, 1)
	go func() {
		root, _, _, err := a.Paths(t.Context(), []string{dir})
		if err != nil {
			t.Error(err)
		}
		done <- root
	}()
	var roots []seal.ChunkID
	var whole seal.ChunkID
	for whole == (seal.ChunkID{}) {
		roots = append(roots, partial(t, a))
		select {
		case whole = <-done:
		default:
		}
	}
	all := paths(t, m, whole, "/")
	before := 0
	roots = slices.Compact(roots)
	t.Log(len(roots), "partial trees of", len(all), "names")
	for _, root := range roots {
		names := paths(t, m, root, "/")
		if len(names) < before {
			t.Errorf("%d names after %d", len(names), before)
		}
		before = len(names)
		for _, name := range names {
			n, w := find(t, m, root, name), find(t, m, whole, name)
			if n.Type != w.Type || n.Size != w.Size || string(n.Content) != string(w.Content) || n.MTime != w.MTime {
				t.Fatalf("%s: %+v, not %+v", name, n, w)
			}
		}
	}
}

// countingSink counts tree objects.
type countingSink struct {
	*memStore
	trees atomic.Int64
}

func (c *countingSink) Tree(ctx context.Context, p []byte) (seal.ChunkID, error) {
	c.trees.Add(1)
	return c.memStore.Tree(ctx, p)
}

// However many files of a directory are finished, a partial tree costs a few objects.
func TestPartialIsCheap(t *testing.T) {
	const files, every = 2400, 200
	dir := t.TempDir()
	for i := range files {
		putFile(t, filepath.Join(dir, fmt.Sprintf("many/%05d", i)), fmt.Sprint(i))
	}
	s := &countingSink{memStore: newMemStore()}
	a := &Archiver{Sink: s, Options: ArchiveOptions{Workers: 1}}
	n, most := 0, int64(0)
	s.duringFile = func([]byte) {
		if n++; n%every != 0 {
			return
		}
		before := s.trees.Load()
		partial(t, a)
		most = max(most, s.trees.Load()-before)
	}
	if _, _, _, err := a.Paths(t.Context(), []string{dir}); err != nil {
		t.Fatal(err)
	}
	levels := int64(strings.Count(dir, "/") + 2)
	if most == 0 || most > levels+8 {
		t.Errorf("%d tree objects for a partial tree, %d levels deep", most, levels)
	}
}

// What was finished when the run was cancelled is in the partial tree.
func TestPartialAfterCancel(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		putFile(t, filepath.Join(dir, fmt.Sprintf("%02d", i)), strings.Repeat("x", 5000+i))
	}
	m := newMemStore()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	files := 0
	a := &Archiver{Sink: m, Options: ArchiveOptions{Workers: 1, Progress: func(e Event) {
		if e.Action == Done && e.Type == File {
			if files++; files == 20 {
				cancel(stop)
			}
		}
	}}}
	if _, _, _, err := a.Paths(ctx, []string{dir}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	root := partial(t, a)
	to := t.TempDir()
	restore(t, m, root, dir, RestoreOptions{Target: to})
	if got := listDir(t, to); len(got) < 20 || len(got) > 22 {
		t.Errorf("%d files, 20 were done: %q", len(got), got)
	}
}

// A stream has no tree before its end.
func TestPartialOfStream(t *testing.T) {
	m := newMemStore()
	a := &Archiver{Sink: m}
	m.duringFile = func([]byte) {
		if got := paths(t, m, partial(t, a), "/"); len(got) != 0 {
			t.Errorf("%q", got)
		}
	}
	if _, _, err := a.Stream(t.Context(), "dump.sql", strings.NewReader("a dump")); err != nil {
		t.Fatal(err)
	}
}
