package snapshot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"holdfast/seal"
)

// A file of many chunks goes through chunk lists and comes back.
func TestChunkLists(t *testing.T) {
	m := newMemStore()
	for _, count := range []int{0, 1, maxRows, maxRows + 1, listRows, 2*listRows + 3} {
		var rows []byte
		var size int64
		for i := range count {
			id := seal.ChunkID{1: byte(i), 2: byte(i >> 8), 3: byte(i >> 16)}
			rows = AppendRow(rows, Row{id, int64(i%maxChunk + 1)})
			size += int64(i%maxChunk + 1)
		}
		n := Node{Name: []byte("x"), Type: File, Size: size}
		if err := n.setContent(t.Context(), m, rows); err != nil {
			t.Fatal(err)
		}
		if err := n.Validate(); err != nil {
			t.Fatal(err)
		}
		if inline := len(n.List) == 0; inline != (count <= maxRows) {
			t.Errorf("%d rows inline: %v", count, inline)
		}
		var got []byte
		err := Rows(t.Context(), m.source(), &n, func(rows []byte) error {
			got = append(got, rows...)
			return nil
		})
		if err != nil || !bytes.Equal(got, rows) {
			t.Errorf("%d rows came back as %d (%v)", count, len(got)/RowSize, err)
		}
	}
}

func TestChunkListsThatLie(t *testing.T) {
	m := newMemStore()
	list, err := encodeChunkList(AppendRow(nil, Row{seal.ChunkID{1}, 10}))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := m.Tree(t.Context(), list)
	dir := m.tree(t)
	for name, c := range map[string]struct {
		id     seal.ChunkID
		covers uint64
	}{
		"covers less":     {id, 9},
		"covers more":     {id, 11},
		"not a list":      {dir, 10},
		"not there":       {seal.ChunkID{9}, 10},
		"directory for 0": {dir, 1},
	} {
		n := Node{Name: []byte("x"), Type: File, Size: int64(c.covers)}
		n.List = binary.LittleEndian.AppendUint64(append([]byte(nil), c.id[:]...), c.covers)
		err := Rows(t.Context(), m.source(), &n, func([]byte) error { return nil })
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A source that gives more, less, or other pieces than asked is found out.
func TestChunksThatLie(t *testing.T) {
	m := newMemStore()
	n := m.file(t, "x", make([]byte, 10000))
	for id, p := range m.chunks {
		m.chunks[id] = p[:len(p)-1]
	}
	err := Chunks(t.Context(), m.source(), &n, func(Row, []byte) error { return nil })
	if !errors.Is(err, ErrContent) {
		t.Errorf("short chunks: %v", err)
	}
	err = placeContent(t.Context(), silentSource{m.source()}, &n, func(int64, []byte) error { return nil })
	if !errors.Is(err, ErrContent) {
		t.Errorf("no chunks: %v", err)
	}
}

// silentSource calls nobody back.
type silentSource struct{ Source }

func (silentSource) Chunks(_ context.Context, _ []byte, _ func(int, []byte) error) error { return nil }

func TestExtents(t *testing.T) {
	rng := seeded(t)
	for range 12 {
		var e extents
		covered := map[int64]bool{}
		at := int64(0)
		pieces := rng.IntN(4 * maxExtents)
		for range pieces {
			at += 1 + rng.Int64N(1<<16)
			length := 1 + rng.Int64N(100)
			e.add(at, length)
			covered[at], covered[at+length-1] = true, true
			at += length
		}
		n := Node{Name: []byte("x"), Type: File, Size: at, Extents: e.pairs}
		data, err := n.dataSize()
		if err != nil {
			t.Fatal(err)
		}
		if pieces > 0 && (data < int64(pieces) || len(e.pairs) > 2*maxExtents) {
			t.Fatalf("%d pieces became %d of %d bytes", pieces, len(e.pairs)/2, data)
		}
		for off := range covered {
			if !inside(e.pairs, off) {
				t.Fatalf("byte %d is data and was taken for a hole", off)
			}
		}
	}
}

func inside(pairs []int64, off int64) bool {
	for i := 0; i < len(pairs); i += 2 {
		if off >= pairs[i] && off < pairs[i]+pairs[i+1] {
			return true
		}
	}
	return false
}

func TestCut(t *testing.T) {
	pairs := []int64{10, 5, 20, 5, 40, 1}
	for _, c := range []struct {
		n, end, pieces int64
	}{{0, 0, 0}, {1, 11, 1}, {5, 15, 1}, {6, 21, 2}, {10, 25, 2}, {11, 41, 3}, {99, 41, 3}} {
		kept, end := cut(pairs, c.n)
		if end != c.end || int64(len(kept)) != 2*c.pieces {
			t.Errorf("cut at %d: %v, end %d", c.n, kept, end)
		}
	}
}
