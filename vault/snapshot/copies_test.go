package snapshot

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/seal"
)

// copiesBed is a tree of files with few different contents, in two directories.
type copiesBed struct {
	*memStore
	root     seal.ChunkID
	fetched  map[seal.ChunkID]int
	contents map[string][]byte // by path
}

func newCopiesBed(t testing.TB, size, files, different int) *copiesBed {
	t.Helper()
	b := &copiesBed{memStore: newMemStore(), fetched: map[seal.ChunkID]int{}, contents: map[string][]byte{}}
	b.size = 1 << 20
	var dirs []Node
	for _, dir := range []string{"a", "b"} {
		var nodes []Node
		for i := range files {
			name := fmt.Sprintf("%03d", i)
			content := bytes.Repeat(fmt.Appendf(nil, "content %03d ", i%different), size/12)
			b.contents[dir+"/"+name] = content
			nodes = append(nodes, b.file(t, name, content))
		}
		dirs = append(dirs, Node{Name: []byte(dir), Type: Dir, Mode: 0o755, Tree: b.tree(t, nodes...)})
	}
	b.root = b.tree(t, dirs...)
	b.failChunk = func(id seal.ChunkID) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.fetched[id]++
		return nil
	}
	return b
}

// restore restores all and returns how many chunks were fetched.
func (b *copiesBed) restore(t *testing.T, o RestoreOptions) int {
	t.Helper()
	clear(b.fetched)
	restore(t, b.memStore, b.root, "", o)
	n := 0
	for _, k := range b.fetched {
		n += k
	}
	return n
}

func (b *copiesBed) check(t *testing.T, target string, except string) {
	t.Helper()
	for path, want := range b.contents {
		got, err := os.ReadFile(filepath.Join(target, path))
		if path != except && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%s: %v, or another content", path, err)
		}
	}
}

// What is in the target already is not fetched again.
func TestCopiesAreFetchedOnce(t *testing.T) {
	b := newCopiesBed(t, 5000, 30, 7)
	for _, workers := range []int{1, 4} {
		target := t.TempDir()
		n := b.restore(t, RestoreOptions{Target: target, Check: testCheck, Workers: workers})
		if n < 7 || n > 7*workers {
			t.Errorf("%d workers: %d chunks fetched, 7 are different", workers, n)
		}
		b.check(t, target, "")
	}
	if n := b.restore(t, RestoreOptions{Target: t.TempDir(), Workers: 1}); n != 60 {
		t.Errorf("%d chunks fetched, with nothing to check copies with", n)
	}
	large := newCopiesBed(t, maxCopied+12, 3, 1)
	if n := large.restore(t, RestoreOptions{Target: t.TempDir(), Check: testCheck, Workers: 1}); n != 6 {
		t.Errorf("%d chunks of 6 large files fetched", n)
	}
}

// A file that was changed after it was restored is no source of copies.
func TestChangedCopyIsNotTaken(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"other bytes": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 4992), 0o600) },
		"shorter":     func(path string) error { return os.Truncate(path, 100) },
		"gone":        os.Remove,
		"a folder": func(path string) error {
			os.Remove(path)
			return os.Mkdir(path, 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCopiesBed(t, 5000, 10, 1)
			target := t.TempDir()
			changed := ""
			n := b.restore(t, RestoreOptions{Target: target, Check: testCheck, Workers: 1, Progress: func(e Event) {
				if e.Type == File && e.Action == Done && changed == "" {
					changed = strings.TrimPrefix(e.Path, "/")
					if err := change(filepath.Join(target, changed)); err != nil {
						t.Error(err)
					}
				}
			}})
			if n != 2 {
				t.Errorf("%d chunks fetched, not 2", n)
			}
			b.check(t, target, changed)
		})
	}
}

// However many files there are and however long their paths, little is remembered.
func TestCopiesAreBounded(t *testing.T) {
	var c restoredCopies
	node := func(i int) *Node {
		id := seal.ChunkID{byte(i), byte(i >> 8), byte(i >> 16), 1}
		return &Node{Type: File, Size: 9, Content: AppendRow(nil, Row{id, 9})}
	}
	rel := "/" + strings.Repeat("n", 2000)
	for i := range 100_000 {
		n := node(i)
		if c.plan(n) {
			t.Fatalf("file %d is there before it was restored", i)
		}
		c.add(n, rel)
		if !c.plan(n) {
			t.Fatalf("file %d was forgotten at once", i)
		}
	}
	if got := len(c.files) * (copyCost + len(rel)); got > copyMemory || c.size > copyMemory {
		t.Errorf("%d bytes are remembered, counted as %d", got, c.size)
	}
}
