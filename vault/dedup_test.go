package vault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"holdfast/internal/ident"
	"holdfast/seal"
	"holdfast/vault/index"
	"holdfast/vault/snapshot"
)

// laneBed is one device's lane in memory: a sink and a source whose chunks enter the
// device's index with commit. Chunks have one byte, so that small files are large.
type laneBed struct {
	*commit
	source laneSource

	mu    sync.Mutex
	files int // that were read
	part  seal.Index
}

// laneSource gives tree objects back.
type laneSource struct {
	snapshot.Source
	mu    *sync.Mutex // the bed's
	trees map[seal.ChunkID][]byte
}

func (s laneSource) Tree(_ context.Context, id seal.ChunkID) ([]byte, error) {
	s.mu.Lock()
	p, ok := s.trees[id]
	s.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no tree object %v", id)
	}
	return p, nil
}

func newLaneBed(t testing.TB) *laneBed {
	t.Helper()
	device := ident.NewPrivateKey([ident.SeedSize]byte{1})
	x, err := index.Open(index.Config{Dir: t.TempDir(), Vault: ident.SumDagCBOR([]byte("vault")), Lane: device.Public()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	l := &laneBed{commit: &commit{Session: &Session{index: x, profile: Profile{Device: device}}}}
	l.source = laneSource{mu: &l.mu, trees: map[seal.ChunkID][]byte{}}
	return l
}

func (l *laneBed) File(_ context.Context, r io.Reader) (snapshot.Content, error) {
	p, err := io.ReadAll(r)
	if err != nil {
		return snapshot.Content{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files++
	c := snapshot.Content{Size: int64(len(p))}
	for i := range p {
		c.Rows = snapshot.AppendRow(c.Rows, snapshot.Row{ID: l.add(seal.KindData, p[i:i+1]), Length: 1})
	}
	return c, nil
}

func (l *laneBed) Tree(_ context.Context, p []byte) (seal.ChunkID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.add(seal.KindTree, p)
	l.source.trees[id] = bytes.Clone(p)
	return id, nil
}

func (l *laneBed) add(kind seal.Kind, p []byte) seal.ChunkID {
	id := seal.Keys{}.ID(kind, p)
	row := seal.Row{ID: id, Kind: kind, Stored: 1, Plain: 1}
	l.part.Chunks = append(l.part.Chunks, seal.IndexChunk{Row: row, Segment: uint32(kind)})
	return id
}

// Segments of a commit: chunks of a kind are in the segment of that number.
func segmentOf(name string, kind seal.Kind) ident.CID {
	return ident.SumDagCBOR(fmt.Appendf(nil, "%s %d", name, kind))
}

// enter enters everything that was stored into the index, except what leave matches.
func (l *laneBed) enter(t testing.TB, name string, leave func(seal.ChunkID) bool) {
	t.Helper()
	part := seal.Index{}
	for kind := range seal.Kind(2) {
		part.Segments = append(part.Segments, seal.IndexSegment{Segment: segmentOf(name, kind), Size: 1 << 20})
	}
	for _, c := range l.part.Chunks {
		if leave == nil || !leave(c.ID) {
			part.Chunks = append(part.Chunks, c)
		}
	}
	entry := ident.SumDagCBOR([]byte(name))
	if err := l.index.AddCommit(entry, l.lane(), segmentOf(name, seal.KindTree), part); err != nil {
		t.Fatal(err)
	}
}

// archive backs a folder up, compared with an earlier root if there is one, and
// returns the new root and how many files were read.
func (l *laneBed) archive(t testing.TB, dir string, before seal.ChunkID) (root seal.ChunkID, read int) {
	t.Helper()
	l.files, l.part, l.seen = 0, seal.Index{}, usedSegments{}
	a := snapshot.Archiver{Sink: l}
	if before != (seal.ChunkID{}) {
		a.Options.Unchanged = unchangedSince(l.newLookedUp(l.source, before))
	}
	root, _, unread, err := a.Paths(t.Context(), []string{dir})
	if err != nil || len(unread) > 0 {
		t.Fatal(err, unread)
	}
	return root, l.files
}

// folder is the tree object of a folder. Those above it may change at any time: they
// are the system's.
func (l *laneBed) folder(t testing.TB, root seal.ChunkID, dir string) seal.ChunkID {
	t.Helper()
	n, err := snapshot.Find(t.Context(), l.source, root, dir)
	if err != nil {
		t.Fatal(err)
	}
	return n.Tree
}

// largeTree has a file whose rows are in chunk lists, and small ones.
func largeTree(t testing.TB, files int) string {
	t.Helper()
	dir := t.TempDir()
	large := make([]byte, 5000)
	for i := range large {
		large[i] = byte(i % 200)
	}
	for i := range files {
		name := filepath.Join(dir, fmt.Sprintf("%02d", i%20), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte{byte(i), byte(i / 256)}, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), large, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Files that have not changed are not read again, also those that are so large that
// their rows are in chunk lists; and the segments of both are counted as used.
func TestUnchangedIsNotRead(t *testing.T) {
	l := newLaneBed(t)
	dir := largeTree(t, 400)
	first, read := l.archive(t, dir, seal.ChunkID{})
	if read != 401 {
		t.Fatalf("%d files read", read)
	}
	l.enter(t, "first", nil)
	second, read := l.archive(t, dir, first)
	if read != 0 || l.folder(t, second, dir) != l.folder(t, first, dir) {
		t.Errorf("%d files read again, or another tree", read)
	}
	for kind := range seal.Kind(2) {
		if _, used := l.seen.ids[segmentOf("first", kind)]; !used {
			t.Errorf("the segment of kind %v is not counted as used", kind)
		}
	}
	if _, read := l.archive(t, dir, seal.ChunkID{}); read != 401 {
		t.Errorf("without an earlier snapshot %d files are read", read)
	}
}

// A file is read again if anything that its node refers to is not stored: one chunk,
// or one of its chunk lists; or if it is stored in a segment that is to be sent again.
func TestUnchangedButNotStored(t *testing.T) {
	dir := largeTree(t, 40)
	for name, c := range map[string]struct {
		leave func(l *laneBed) func(seal.ChunkID) bool
		thin  bool
		want  int
	}{
		"a chunk of a small file": {leave: func(*laneBed) func(seal.ChunkID) bool {
			id := seal.Keys{}.ID(seal.KindData, []byte{39})
			return func(x seal.ChunkID) bool { return x == id }
		}, want: 2}, // the large one has it too
		"a chunk of the large file": {leave: func(*laneBed) func(seal.ChunkID) bool {
			id := seal.Keys{}.ID(seal.KindData, []byte{150})
			return func(x seal.ChunkID) bool { return x == id }
		}, want: 1},
		"a chunk list": {leave: func(l *laneBed) func(seal.ChunkID) bool {
			return func(x seal.ChunkID) bool {
				tree, err := snapshot.ParseTree(l.source.trees[x])
				return err == nil && tree.Kind == snapshot.ChunkList
			}
		}, want: 1},
		"thin segments": {leave: func(*laneBed) func(seal.ChunkID) bool { return nil }, thin: true, want: 41},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLaneBed(t)
			first, _ := l.archive(t, dir, seal.ChunkID{})
			l.enter(t, "first", c.leave(l))
			if c.thin {
				l.thin = map[ident.CID]bool{segmentOf("first", seal.KindData): true}
			}
			if _, read := l.archive(t, dir, first); read != c.want {
				t.Errorf("%d files read, not %d", read, c.want)
			}
		})
	}
}

// More chunks than are kept in sight are looked up one by one.
func TestLookedUpIsBounded(t *testing.T) {
	l := newLaneBed(t)
	ahead := &lookedUp{commit: l.commit, source: l.source}
	var nodes []snapshot.Node
	for i := range 100 {
		n := snapshot.Node{Type: snapshot.File}
		for k := range 300 {
			id := l.add(seal.KindData, fmt.Appendf(nil, "%d %d", i, k))
			n.Content = snapshot.AppendRow(n.Content, snapshot.Row{ID: id, Length: 1})
		}
		nodes = append(nodes, n)
	}
	l.enter(t, "first", nil)
	for range 3 {
		ahead.nodes(nodes)
		if len(ahead.segments) > maxLookedUp {
			t.Fatalf("%d chunks are kept", len(ahead.segments))
		}
		ahead.nodes(nodes[:10])
	}
	for i := range nodes {
		if !ahead.allKnown(t.Context(), &nodes[i]) {
			t.Fatalf("node %d is not known", i)
		}
	}
}

// BenchmarkUnchangedTree is the client's work for a second backup of files that have
// not changed: walk, comparison, lookups, tree objects.
func BenchmarkUnchangedTree(b *testing.B) {
	const files = 4000
	l := newLaneBed(b)
	dir := largeTree(b, files)
	first, _ := l.archive(b, dir, seal.ChunkID{})
	l.enter(b, "first", nil)
	for b.Loop() {
		if _, read := l.archive(b, dir, first); read != 0 {
			b.Fatalf("%d files were read", read)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/files, "us/file")
}
