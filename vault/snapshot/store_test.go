package snapshot

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/zeebo/blake3"

	"holdfast/seal"
)

// memStore is a Sink and a Source in memory, with small chunks.
type memStore struct {
	mu       sync.Mutex
	chunks   map[seal.ChunkID][]byte
	trees    map[seal.ChunkID][]byte
	expected map[seal.ChunkID]bool
	files    int // calls of File
	reads    int // calls of Tree as a source
	size     int // of a chunk

	// duringFile, if set, is called when File has read its first chunk.
	duringFile func(first []byte)
	// failChunk, if set, is asked before a chunk is given out.
	failChunk func(id seal.ChunkID) error
}

func newMemStore() *memStore {
	return &memStore{
		chunks:   map[seal.ChunkID][]byte{},
		trees:    map[seal.ChunkID][]byte{},
		expected: map[seal.ChunkID]bool{},
		size:     3000,
	}
}

func testKeys() seal.Keys {
	var k seal.Keys
	for i := range 32 {
		k.DedupData[i], k.DedupTree[i] = byte(i), byte(100+i)
	}
	return k
}

func testID(kind seal.Kind, p []byte) seal.ChunkID {
	key := testKeys().DedupData
	if kind == seal.KindTree {
		key = testKeys().DedupTree
	}
	h, err := blake3.NewKeyed(key[:])
	if err != nil {
		panic(err)
	}
	h.Write(p)
	return seal.ChunkID(h.Sum(nil))
}

func testCheck(kind seal.Kind, id seal.ChunkID, p []byte) error {
	if testID(kind, p) != id {
		return fmt.Errorf("chunk %s does not match", id)
	}
	return nil
}

func (m *memStore) File(ctx context.Context, r io.Reader) (Content, error) {
	var c Content
	buf := make([]byte, m.size)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			m.add(&c, buf[:n])
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return Content{}, fmt.Errorf("read: %w", err)
		}
		if ctx.Err() != nil {
			return Content{}, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files++
	return c, nil
}

func (m *memStore) add(c *Content, p []byte) {
	id := testID(seal.KindData, p)
	m.mu.Lock()
	if _, ok := m.chunks[id]; !ok {
		m.chunks[id] = append([]byte(nil), p...)
		c.New += int64(len(p))
	}
	hook := m.duringFile
	m.mu.Unlock()
	if hook != nil && c.Size == 0 {
		hook(p)
	}
	c.Size += int64(len(p))
	c.Rows = AppendRow(c.Rows, Row{id, int64(len(p))})
}

func (m *memStore) Tree(_ context.Context, p []byte) (seal.ChunkID, error) {
	id := testID(seal.KindTree, p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trees[id] = append([]byte(nil), p...)
	return id, nil
}

// source is the reading side: both sides have a method Tree.
type memSource struct{ *memStore }

func (m *memStore) source() Source { return memSource{m} }

func (m memSource) Tree(_ context.Context, id seal.ChunkID) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	p, ok := m.trees[id]
	if !ok {
		return nil, fmt.Errorf("no tree object %s", id)
	}
	return p, nil
}

func (m memSource) Chunks(ctx context.Context, rows []byte, f func(i int, plain []byte) error) error {
	for i := range len(rows) / RowSize {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		id := RowAt(rows, i).ID
		m.mu.Lock()
		p, ok := m.chunks[id]
		fail := m.failChunk
		m.mu.Unlock()
		if fail != nil {
			if err := fail(id); err != nil {
				return err
			}
		}
		if !ok {
			return fmt.Errorf("no chunk %s", id)
		}
		if err := f(i, append([]byte(nil), p...)); err != nil {
			return err
		}
	}
	return nil
}

func (m memSource) Expect(id seal.ChunkID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expected[id] = true
}

// archive stores paths and fails the test if anything is wrong.
func archive(t testing.TB, m *memStore, o ArchiveOptions, paths ...string) (seal.ChunkID, Stats) {
	t.Helper()
	a := Archiver{Sink: m, Options: o}
	root, stats, unread, err := a.Paths(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	if len(unread) != 0 {
		t.Fatalf("unread: %q", unread)
	}
	return root, stats
}

// restore restores and fails the test if anything is wrong.
func restore(t testing.TB, m *memStore, root seal.ChunkID, subpath string, o RestoreOptions) Summary {
	t.Helper()
	r := Restorer{Source: m.source(), Options: o}
	sum, err := r.Restore(t.Context(), root, subpath)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sum.Failures {
		t.Errorf("%s: %v", f.Path, f.Err)
	}
	return sum
}

// tree stores a hand-made directory.
func (m *memStore) tree(t testing.TB, nodes ...Node) seal.ChunkID {
	t.Helper()
	w := dirWriter{sink: m}
	for i := range nodes {
		if err := w.add(context.Background(), &nodes[i]); err != nil {
			t.Fatal(err)
		}
	}
	id, err := w.close(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// file makes a node with stored content.
func (m *memStore) file(t testing.TB, name string, content []byte) Node {
	t.Helper()
	n := Node{Name: []byte(name), Type: File, Mode: 0o644, Size: int64(len(content))}
	for len(content) > 0 {
		p := content[:min(len(content), m.size)]
		content = content[len(p):]
		id := testID(seal.KindData, p)
		m.chunks[id] = p
		n.Content = AppendRow(n.Content, Row{id, int64(len(p))})
	}
	return n
}

// The three tree objects, with whatever they should not hold.
func nodesObject(v uint64, nodes []Node) treeObject { return treeObject{V: v, Nodes: &nodes} }

func partsObject(v uint64, ids []seal.ChunkID) treeObject { return treeObject{V: v, Parts: &ids} }

func chunksObject(v uint64, rows []byte) treeObject { return treeObject{V: v, Chunks: &rows} }
