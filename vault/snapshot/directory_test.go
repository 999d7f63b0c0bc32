package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"holdfast/internal/wire"
	"holdfast/seal"
)

// readAll reads a directory back.
func readAll(t testing.TB, m *memStore, id seal.ChunkID) ([]Node, error) {
	t.Helper()
	d, err := newDirReader(t.Context(), m.source(), id, 0)
	if err != nil {
		return nil, err
	}
	var out []Node
	for {
		n, err := d.read(t.Context())
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, *n)
	}
}

func numbered(n int) []Node {
	out := make([]Node, n)
	for i := range out {
		out[i] = Node{Name: fmt.Appendf(nil, "%06d", i), Type: File, Mode: 0o644, MTime: Time{int64(i), 0}}
	}
	return out
}

// Directories of every size come back, in objects within the limits.
func TestDirectorySizes(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 1000, 4096, 20000} {
		m := newMemStore()
		want := numbered(n)
		got, err := readAll(t, m, m.tree(t, want...))
		if err != nil || len(got) != n {
			t.Fatalf("%d nodes came back as %d: %v", n, len(got), err)
		}
		for i := range got {
			if !bytes.Equal(wire.MustEncode(got[i]), wire.MustEncode(want[i])) {
				t.Fatalf("node %d: %+v", i, got[i])
			}
		}
		for _, p := range m.trees {
			tree, err := ParseTree(p)
			if err != nil || len(p) > partBytes+1000 || len(tree.Nodes) > maxNodes {
				t.Fatalf("an object of %d bytes and %d nodes: %v", len(p), len(tree.Nodes), err)
			}
		}
		if n < partNodes && len(m.trees) != 1 {
			t.Errorf("%d nodes in %d objects", n, len(m.trees))
		}
	}
}

// Where a directory is cut is in the format: after a node whose hash says so.
func TestDirectoryCuts(t *testing.T) {
	m := newMemStore()
	id := m.tree(t, numbered(5000)...)
	top, err := ParseTree(m.trees[id])
	if err != nil || top.Kind != Parts {
		t.Fatal(top.Kind, err)
	}
	for i, p := range top.Parts {
		part, err := ParseTree(m.trees[p])
		if err != nil {
			t.Fatal(err)
		}
		for k, n := range part.Nodes {
			last := k == len(part.Nodes)-1
			mustCut := k+1 >= 256 && cutsAfter(n.Name) || k+1 == 4096
			if mustCut != last && i < len(top.Parts)-1 {
				t.Fatalf("part %d of %d nodes is cut wrongly at %d", i, len(part.Nodes), k)
			}
		}
	}
}

// One more file in a large directory changes few objects.
func TestDirectoryInsertion(t *testing.T) {
	m := newMemStore()
	nodes := numbered(20000)
	m.tree(t, nodes...)
	before := len(m.trees)
	nodes = slices.Insert(nodes, 7000, Node{Name: []byte("006999x"), Type: Fifo})
	m.tree(t, nodes...)
	if more := len(m.trees) - before; more > 4 {
		t.Errorf("%d of %d objects changed", more, before)
	}
}

// Large nodes end a part by its bytes.
func TestDirectoryOfLargeNodes(t *testing.T) {
	m := newMemStore()
	var nodes []Node
	for i := range 40 {
		n := Node{Name: fmt.Appendf(nil, "%03d", i), Type: Fifo}
		n.Xattrs = []Xattr{{[]byte("user.x"), bytes.Repeat([]byte{byte(i)}, 100_000)}}
		if i == 7 {
			n.Xattrs[0].Value = make([]byte, maxXattrs-100)
		}
		nodes = append(nodes, n)
	}
	got, err := readAll(t, m, m.tree(t, nodes...))
	if err != nil || len(got) != len(nodes) {
		t.Fatal(len(got), err)
	}
	for _, p := range m.trees {
		if tree, _ := ParseTree(p); len(p) > partBytes+1000 && len(tree.Nodes) > 1 {
			t.Errorf("an object of %d bytes", len(p))
		}
	}
}

func TestParseTreeRefuses(t *testing.T) {
	a, b := Node{Name: []byte("a"), Type: Fifo}, Node{Name: []byte("b"), Type: Fifo}
	many := numbered(maxNodes + 1)
	for name, p := range map[string][]byte{
		"nothing":         nil,
		"another version": wire.MustEncode(nodesObject(2, nil)),
		"no kind": wire.MustEncode(struct {
			V uint64 `cbor:"v"`
		}{1}),
		"two kinds": wire.MustEncode(struct {
			V uint64 `cbor:"v"`
			N []Node `cbor:"nodes"`
			C []byte `cbor:"chunks"`
		}{1, nil, nil}),
		"unsorted":       wire.MustEncode(nodesObject(1, []Node{b, a})),
		"twice":          wire.MustEncode(nodesObject(1, []Node{a, a})),
		"bad node":       wire.MustEncode(nodesObject(1, []Node{{Name: []byte(".."), Type: Fifo}})),
		"too many nodes": wire.MustEncode(nodesObject(1, many)),
		"no parts":       wire.MustEncode(partsObject(1, nil)),
		"short part": wire.MustEncode(struct {
			V uint64   `cbor:"v"`
			P [][]byte `cbor:"parts"`
		}{1, [][]byte{{1}}}),
		"long part": wire.MustEncode(struct {
			V uint64   `cbor:"v"`
			P [][]byte `cbor:"parts"`
		}{1, [][]byte{make([]byte, 33)}}),
		"empty chunk list": wire.MustEncode(chunksObject(1, nil)),
		"broken row":       wire.MustEncode(chunksObject(1, make([]byte, 37))),
		"empty row":        wire.MustEncode(chunksObject(1, make([]byte, 36))),
		"too large":        wire.MustEncode(chunksObject(1, make([]byte, MaxTree))),
	} {
		if _, err := ParseTree(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ParseTree(wire.MustEncode(nodesObject(2, nil))); !errors.Is(err, wire.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
}

// Keys that this program does not know are ignored.
func TestParseTreeUnknownKeys(t *testing.T) {
	type newer struct {
		Node
		Colour string `cbor:"colour"`
	}
	p := wire.MustEncode(struct {
		V     uint64  `cbor:"v"`
		Nodes []newer `cbor:"nodes"`
		Extra string  `cbor:"extra"`
	}{1, []newer{{goodFile(), "red"}}, "x"})
	tree, err := ParseTree(p)
	if err != nil || len(tree.Nodes) != 1 || string(tree.Nodes[0].Name) != "a" {
		t.Fatal(tree, err)
	}
}

func TestDirReaderRefuses(t *testing.T) {
	m := newMemStore()
	store := func(v any) seal.ChunkID {
		id, err := m.Tree(t.Context(), wire.MustEncode(v))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	a := m.tree(t, Node{Name: []byte("a"), Type: Fifo})
	b := m.tree(t, Node{Name: []byte("b"), Type: Fifo})
	parts := store(partsObject(1, []seal.ChunkID{a, b}))
	if got, err := readAll(t, m, parts); err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	for name, id := range map[string]seal.ChunkID{
		"parts out of order": store(partsObject(1, []seal.ChunkID{b, a})),
		"a part twice":       store(partsObject(1, []seal.ChunkID{a, a})),
		"parts of parts":     store(partsObject(1, []seal.ChunkID{parts})),
		"a chunk list":       store(chunksObject(1, AppendRow(nil, Row{Length: 1}))),
		"a missing part":     store(partsObject(1, []seal.ChunkID{a, {9}})),
	} {
		if _, err := readAll(t, m, id); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := newDirReader(t.Context(), m.source(), a, maxDepth+1); !errors.Is(err, ErrTree) {
		t.Errorf("too deep: %v", err)
	}
}

// A reader that let go of a large part finds its place again.
func TestDirReaderRests(t *testing.T) {
	m := newMemStore()
	nodes := numbered(3000)
	for i := range nodes {
		nodes[i].User = "somebody with quite a long name, so that a part is large"
	}
	id := m.tree(t, nodes...)
	d, err := newDirReader(t.Context(), m.source(), id, deepLevel+1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		n, err := d.read(t.Context())
		if err != nil || string(n.Name) != fmt.Sprintf("%06d", i) {
			t.Fatalf("node %d: %v %v", i, n, err)
		}
		if i%100 == 0 {
			if d.rest(); d.nodes != nil && d.size > deepTree {
				t.Fatal("nothing was let go")
			}
		}
	}
	if _, err := d.read(t.Context()); err != io.EOF {
		t.Fatal(err)
	}
}

// 100,000 entries are written and read in seconds, a part at a time.
func TestLargeDirectory(t *testing.T) {
	m := newMemStore()
	nodes := numbered(100_000)
	start := time.Now()
	id := m.tree(t, nodes...)
	written := time.Now()
	got, err := readAll(t, m, id)
	if err != nil || len(got) != len(nodes) {
		t.Fatal(len(got), err)
	}
	t.Logf("write %v, read %v, %d objects", written.Sub(start), time.Since(written), len(m.trees))
}

func FuzzParseTree(f *testing.F) {
	f.Add(wire.MustEncode(nodesObject(1, []Node{goodFile()})))
	f.Add(wire.MustEncode(partsObject(1, []seal.ChunkID{{1}, {2}})))
	f.Add(wire.MustEncode(chunksObject(1, AppendRow(nil, Row{Length: 7}))))
	if vector, err := os.ReadFile("testdata/directory.cbor"); err == nil {
		f.Add(vector)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		tree, err := ParseTree(p)
		if err != nil {
			return
		}
		switch tree.Kind {
		case Nodes:
			for i := range tree.Nodes {
				n := &tree.Nodes[i]
				if err := n.Validate(); err != nil {
					t.Fatal(err)
				}
				if size, err := n.dataSize(); err != nil || size < 0 {
					t.Fatal(size, err)
				}
			}
		case Parts:
			if len(tree.Parts) == 0 {
				t.Fatal("no parts")
			}
		case ChunkList:
			if _, err := sumRows(tree.Chunks); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal("no kind")
		}
	})
}

func BenchmarkDirectory(b *testing.B) {
	nodes := numbered(1000)
	for i := range nodes {
		nodes[i].CTime, nodes[i].UID, nodes[i].User = Time{int64(i), 1}, 1000, "alice"
		nodes[i].Size, nodes[i].Content = 9, AppendRow(nil, Row{seal.ChunkID{1}, 9})
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			newMemStore().tree(b, nodes...)
		}
	})
	p := wire.MustEncode(nodesObject(1, nodes))
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseTree(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
