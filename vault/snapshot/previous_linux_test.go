package snapshot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An incremental run reads only what has changed, gives the same tree as a full
// one, and looks at each part of the earlier snapshot once.
func TestPrevious(t *testing.T) {
	rng := seeded(t)
	for round := range 3 {
		dir := t.TempDir()
		randomTree(t, rng, dir, 150)
		for i := range 500 * (round % 2) { // a directory in parts
			putFile(t, filepath.Join(dir, "parts", fmt.Sprintf("%04d", i)), "")
		}
		putFile(t, dir+"/a", "one")
		putFile(t, dir+"/z", "two")
		m := newMemStore()
		first, _ := archive(t, m, ArchiveOptions{}, dir)
		all := m.files

		m.files, m.reads = 0, 0
		p := NewPrevious(m.source(), first)
		count := new(Counters)
		second, _ := archive(t, m, ArchiveOptions{Unchanged: p.Unchanged, Counters: count}, dir)
		if m.files != 0 || p.Err() != nil || count.Skipped.Load() < int64(all) {
			t.Errorf("%d of %d files read again, %v", m.files, all, p.Err())
		}
		if find(t, m, first, dir).Tree != find(t, m, second, dir).Tree {
			t.Error("another tree")
		}
		if m.reads > len(m.trees)+20 { // some to find the folder
			t.Errorf("%d reads of %d tree objects", m.reads, len(m.trees))
		}

		putFile(t, dir+"/a", "ONE")     // same size
		putFile(t, dir+"/n/new", "new") // new
		os.Remove(dir + "/z")           // gone
		m.files = 0
		p = NewPrevious(m.source(), first)
		third, _ := archive(t, m, ArchiveOptions{Unchanged: p.Unchanged}, dir)
		full, _ := archive(t, m, ArchiveOptions{}, dir)
		if find(t, m, third, dir).Tree != find(t, m, full, dir).Tree {
			t.Error("an incremental run gives another tree than a full one")
		}
	}
}

// A file that keeps size and mtime but has another status change is read.
func TestPreviousCTime(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/f"
	putFile(t, path, "old")
	at := time.Unix(1e9, 5)
	os.Chtimes(path, at, at)
	m := newMemStore()
	first, _ := archive(t, m, ArchiveOptions{}, dir)
	old := find(t, m, first, path).CTime
	for { // the clock of the file system may be coarse
		putFile(t, path, "new")
		os.Chtimes(path, at, at)
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if n, _, _ := newOwners().meta("f", info); n.CTime != old {
			break
		}
	}
	p := NewPrevious(m.source(), first)
	second, _ := archive(t, m, ArchiveOptions{Unchanged: p.Unchanged}, dir)
	if string(find(t, m, first, path).Content) == string(find(t, m, second, path).Content) {
		t.Error("the old content was taken over")
	}
}

// The nodes of each part of a directory come into sight once, before the first
// question about one of them is answered.
func TestPreviousAhead(t *testing.T) {
	m := newMemStore()
	inner, outer := numbered(900), numbered(3000)
	for i := range inner {
		inner[i].Name = fmt.Appendf(nil, "in%s", inner[i].Name)
	}
	outer = append(outer, Node{Name: []byte("z"), Type: Dir, Tree: m.tree(t, inner...)})
	p := NewPrevious(m.source(), m.tree(t, outer...))
	seen := map[string]int{}
	parts := 0
	p.Ahead = func(nodes []Node) {
		parts++
		for i := range nodes {
			seen[string(nodes[i].Name)]++
		}
	}
	ask := func(path string, i int) {
		t.Helper()
		old, ok := p.Unchanged(t.Context(), path, &Node{Type: File, MTime: Time{int64(i), 0}})
		if !ok || seen[string(old.Name)] != 1 {
			t.Fatalf("%s: %v, seen %d times", path, ok, seen[string(old.Name)])
		}
	}
	for i := range 3000 {
		ask(fmt.Sprintf("/%06d", i), i)
	}
	for i := range 900 {
		ask(fmt.Sprintf("/z/in%06d", i), i)
	}
	if len(seen) != 3901 || parts < 4 || parts > 3901/partNodes {
		t.Errorf("%d nodes in %d parts", len(seen), parts)
	}
}

// Questions in any order get the same answers.
func TestPreviousOutOfOrder(t *testing.T) {
	m := newMemStore()
	inner := m.tree(t, numbered(900)...)
	root := m.tree(t, Node{Name: []byte("a"), Type: Dir, Tree: inner}, Node{Name: []byte("b"), Type: Dir, Tree: inner})
	p := NewPrevious(m.source(), root)
	rng := seeded(t)
	for range 300 {
		i := rng.IntN(1000)
		path := fmt.Sprintf("/%c/%06d", 'a'+rng.IntN(3), i)
		n := Node{Type: File, MTime: Time{int64(i), 0}}
		old, ok := p.Unchanged(t.Context(), path, &n)
		if want := i < 900 && !strings.HasPrefix(path, "/c"); ok != want {
			t.Fatalf("%s: %v", path, ok)
		}
		if ok && !strings.HasSuffix(path, string(old.Name)) {
			t.Fatalf("%s: %s", path, old.Name)
		}
	}
	if _, ok := p.Unchanged(t.Context(), "/", &Node{Type: File}); ok {
		t.Error("the root is a file")
	}
	if p.Err() != nil {
		t.Error(p.Err())
	}
	clear(m.trees)
	p = NewPrevious(m.source(), root)
	if _, ok := p.Unchanged(t.Context(), "/a/000001", &Node{Type: File, MTime: Time{1, 0}}); ok || p.Err() == nil {
		t.Error("a source without the snapshot answers")
	}
}
