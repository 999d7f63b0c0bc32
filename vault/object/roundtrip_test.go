package object

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"holdfast/chunker"
	"holdfast/erasure"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/seal"
)

func TestRoundTripOfAllSizes(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	var data [][]byte
	for i, n := range []int{
		0, 1, 2, 63, 4096, chunker.MinSize - 1, chunker.MinSize, chunker.MinSize + 1,
		chunker.MaxSize - 1, chunker.MaxSize, chunker.MaxSize + 1, 9<<20 + 3,
	} {
		data = append(data, noise(n, uint64(i)), prose(n, uint64(i)))
	}
	data = append(data, noise(34<<20, 99), make([]byte, 9<<20))
	var contents []Content
	for _, d := range data {
		c := b.store(w, d)
		if c.Size != int64(len(d)) {
			t.Fatalf("size %d of %d bytes", c.Size, len(d))
		}
		contents = append(contents, c)
	}
	commit := b.finish(w)
	if commit.Incomplete != 0 || len(commit.Receipts) != 8 {
		t.Errorf("%d shards missing, %d receipts", commit.Incomplete, len(commit.Receipts))
	}
	r := b.reader()
	for i, c := range contents {
		b.mustLoad(r, c, data[i])
	}
}

func TestRoundTripOfAllCodes(t *testing.T) {
	for _, operators := range []int{2, 5, 20} {
		code, err := erasure.ForOperators(operators)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(code.String(), func(t *testing.T) {
			b := newBed(t, code, 0)
			w := b.writer()
			data := noise(34<<20, 1)
			c := b.store(w, data)
			commit := b.finish(w)
			if len(commit.Segments) != 3 {
				t.Errorf("%d segments", len(commit.Segments))
			}
			b.mustLoad(b.reader(), c, data)
			b.breakAll(shardrpctest.Lost, worst(code)...)
			b.mustLoad(b.reader(), c, data)
		})
	}
}

// Full segments have the target's size: rows of whole Bao groups.
func TestSizesOfSegments(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	b.store(w, noise(70<<20, 1))
	commit := b.finish(w)
	for i, s := range commit.Segments[:2] {
		d, err := erasure.ParseDescriptor(s.Descriptor)
		if err != nil {
			t.Fatal(err)
		}
		if d.Size != 32<<20 || d.RowSize()%(16<<10) != 0 {
			t.Errorf("segment %d: %d bytes", i, d.Size)
		}
	}
	for _, x := range commit.Index.Segments[:3] {
		if x.Header != 1627 {
			t.Errorf("header of %d bytes", x.Header)
		}
	}
}

func TestManySmallFilesAtOnce(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	const files, workers = 2000, 8
	contents := make([]Content, files)
	each(t, files, workers, func(i int) error {
		var err error
		contents[i], err = w.File(context.Background(), bytes.NewReader(small(i)))
		return err
	})
	b.finish(w)
	r := b.reader()
	each(t, files, workers, func(i int) error {
		got, err := load(r, contents[i])
		if err == nil && !bytes.Equal(got, small(i)) {
			err = fmt.Errorf("file %d differs", i)
		}
		return err
	})
}

// small is a small file; one in ten is equal to another.
func small(i int) []byte {
	i -= i % 10 / 9
	return prose(1000+i*7%20_000, uint64(i))
}

// each runs f for 0..n-1 in some goroutines.
func each(t testing.TB, n, workers int, f func(i int) error) {
	t.Helper()
	var group sync.WaitGroup
	next := make(chan int)
	errs := make(chan error, n)
	for range workers {
		group.Go(func() {
			for i := range next {
				errs <- f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestManyLargeFilesAtOnce(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	const files = 6
	contents := make([]Content, files)
	data := func(i int) []byte { return noise(6<<20+i, uint64(i)) }
	each(t, files, files, func(i int) error {
		var err error
		contents[i], err = w.File(context.Background(), bytes.NewReader(data(i)))
		return err
	})
	b.finish(w)
	r := b.reader()
	each(t, files, files, func(i int) error {
		got, err := load(r, contents[i])
		if err == nil && !bytes.Equal(got, data(i)) {
			err = fmt.Errorf("file %d differs", i)
		}
		return err
	})
}

func TestDedupInsideACommit(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	data := noise(8<<20, 1)
	contents := make([]Content, 8)
	each(t, 8, 8, func(i int) error {
		var err error
		contents[i], err = w.File(context.Background(), bytes.NewReader(data))
		return err
	})
	var fresh int64
	for _, c := range contents {
		fresh += c.New
		if !bytes.Equal(c.Rows, contents[0].Rows) {
			t.Error("equal files have other rows")
		}
	}
	commit := b.finish(w)
	if fresh != 8<<20 || commit.Stats.Added != 8<<20 || w.cfg.Counters.Deduplicated.Load() != 7*8<<20 {
		t.Errorf("%d bytes new, %+v", fresh, commit.Stats)
	}
	if got := int64(len(commit.Index.Chunks)); got != commit.Stats.Chunks {
		t.Errorf("%d rows for %d chunks", got, commit.Stats.Chunks)
	}
	b.mustLoad(b.reader(), contents[3], data)
}

func TestDedupAcrossCommits(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	data := noise(9<<20, 1)
	w := b.writer()
	b.store(w, data)
	if _, err := w.Tree(t.Context(), []byte("a tree")); err != nil {
		t.Fatal(err)
	}
	b.finish(w)
	w = b.writer()
	c := b.store(w, data)
	if _, err := w.Tree(t.Context(), []byte("a tree")); err != nil {
		t.Fatal(err)
	}
	commit := b.finish(w)
	if c.New != 0 || commit.Stats != (Stats{Read: int64(len(data))}) || len(commit.Segments) != 1 || len(commit.Index.Chunks) != 0 {
		t.Errorf("stored again: %d bytes, %+v, %d segments", c.New, commit.Stats, len(commit.Segments))
	}
	b.mustLoad(b.reader(), c, data)
}

func TestTrees(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	var ids []seal.ChunkID
	objects := [][]byte{{1}, prose(100_000, 1), noise(seal.MaxChunk, 2)}
	for i := range 40 {
		objects = append(objects, noise(300_000+i, uint64(i)+10)) // more than part A takes
	}
	for _, o := range objects {
		id, err := w.Tree(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for _, n := range []int{0, seal.MaxChunk + 1} {
		if _, err := w.Tree(t.Context(), make([]byte, n)); err == nil {
			t.Errorf("a tree object of %d bytes was stored", n)
		}
	}
	commit := b.finish(w)
	if len(commit.Segments) != 2 {
		t.Errorf("%d segments: trees beyond part A go where the data goes", len(commit.Segments))
	}
	r := b.reader()
	for i, id := range ids {
		got, err := r.Tree(t.Context(), id)
		if err != nil || !bytes.Equal(got, objects[i]) {
			t.Fatalf("tree %d: %d bytes, %v", i, len(got), err)
		}
	}
	_, err := r.Tree(t.Context(), seal.ChunkID{})
	wantErr(t, err, ErrUnknownChunk)
}

// The metadata segment alone tells a reader everything, with either identity.
func TestIndexAndSnapshotFromTheMetadataSegment(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	b.store(w, noise(3<<20, 1))
	if _, err := w.Tree(t.Context(), []byte("a tree")); err != nil {
		t.Fatal(err)
	}
	commit := b.finish(w)
	meta := commit.Segments[len(commit.Segments)-1].CID
	for _, id := range []seal.Identity{b.owner, b.lane} {
		r := b.reader(func(c *ReaderConfig) {
			other, _ := seal.NewIdentity([32]byte{99})
			c.Identities = []seal.Identity{other, id}
		})
		x, err := r.Index(t.Context(), meta)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(x) != fmt.Sprint(commit.Index) {
			t.Errorf("index %v, not %v", x, commit.Index)
		}
		s, err := r.Snapshot(t.Context(), meta)
		if err != nil || string(s) != "a sealed snapshot" {
			t.Errorf("snapshot %q, %v", s, err)
		}
	}
	r := b.reader()
	p, err := r.Parts(t.Context(), meta)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := r.Directory(t.Context(), meta, p.A)
	if err != nil || len(rows) != 1 || rows[0].Kind != seal.KindTree {
		t.Errorf("directory %v, %v", rows, err)
	}
	if _, err := r.Parts(t.Context(), commit.Segments[0].CID); err == nil {
		t.Error("a data segment has no parts")
	}
	if _, err := b.reader(func(c *ReaderConfig) { c.Identities = nil }).Index(t.Context(), meta); err == nil {
		t.Error("opened without an identity")
	}
}

func TestEmptyCommit(t *testing.T) {
	b := newBed(t, erasure.Code{K: 1, N: 2}, 0)
	commit := b.finish(b.writer())
	if len(commit.Segments) != 1 || commit.Incomplete != 0 {
		t.Errorf("%+v", commit)
	}
	x, err := b.reader().Index(t.Context(), commit.Segments[0].CID)
	if err != nil || len(x.Chunks) != 0 {
		t.Errorf("%v, %v", x, err)
	}
}

func TestRanges(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	data := noise(6<<20+5, 1)
	c := b.store(w, data)
	b.finish(w)
	var borders []int64
	at := int64(0)
	for rows := c.Rows; len(rows) > 0; rows = rows[rowSize:] {
		borders = append(borders, at)
		at += int64(plainLen(rows))
	}
	borders = append(borders, at)
	r := b.reader()
	for i, from := range borders {
		for _, off := range []int64{from - 1, from, from + 1} {
			for _, n := range []int64{0, 1, 2, 70_000, borders[min(i+1, len(borders)-1)] - off, 1 << 40} {
				checkRange(t, r, c, data, off, n)
			}
		}
	}
	wantErr(t, r.Range(t.Context(), c.Rows[1:], 0, 1, nil), ErrRows)
	wantErr(t, r.Range(t.Context(), c.Rows, -1, 1, nil), ErrRows)
}

func checkRange(t *testing.T, r *Reader, c Content, data []byte, off, n int64) {
	t.Helper()
	if off < 0 || n < 0 {
		return
	}
	want := data[min(off, int64(len(data))):]
	want = want[:min(n, int64(len(want)))]
	var got []byte
	err := r.Range(t.Context(), c.Rows, off, n, func(p []byte) error {
		got = append(got, p...)
		return nil
	})
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("range %d+%d: %d bytes, %v; want %d", off, n, len(got), err, len(want))
	}
}
