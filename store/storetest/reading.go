package storetest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"holdfast/erasure"
	"holdfast/store"

	"lukechampine.com/blake3/bao"
)

func testPutGet(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	v := Vault("a")
	const g = store.GroupSize
	for _, size := range []int{1, 2, 1000, g - 1, g, g + 1, 2*g - 1, 2 * g, 3*g + 7, 64*g + 5, 1 << 20, 1<<20 + 1} {
		for _, code := range []erasure.Code{code12, code24} {
			s := NewSegment(t, code, size*code.K, uint64(size))
			for i := range code.N {
				key := s.Key(v, i)
				mustPut(t, shelf, s, key)
				wantShard(t, shelf, s, key)
			}
		}
	}
}

// Law: a slice of any range verifies against the descriptor, is the one that the
// Bao library verifies, has the announced length and gives exactly the range.
func testSlices(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	v := Vault("a")
	const g = store.GroupSize
	random := rand.New(rand.NewPCG(1, 2))
	for _, row := range []int64{1, 100, g - 1, g, g + 1, 2 * g, 3*g + 1, 37*g + 11} {
		s := NewSegment(t, code24, int(row)*2, uint64(row))
		key := s.Key(v, 3)
		mustPut(t, shelf, s, key)
		ranges := [][2]int64{{0, row}, {0, 1}, {row - 1, 1}, {row / 2, row - row/2}}
		for range 30 {
			off := random.Int64N(row)
			ranges = append(ranges, [2]int64{off, 1 + random.Int64N(row-off)})
		}
		for edge := int64(g); edge < row; edge += 9 * g {
			ranges = append(ranges, [2]int64{edge - 1, 2}, [2]int64{edge, 1}, [2]int64{edge - 1, 1})
		}
		for _, r := range ranges {
			checkSlice(t, shelf, s, key, r[0], r[1])
		}
	}
}

func checkSlice(t *testing.T, shelf store.Shelf, s Segment, key store.Key, off, n int64) {
	t.Helper()
	want := s.Rows[key.Index][off : off+n]
	got, err := s.ReadSlice(t.Context(), shelf, key, off, n)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("slice [%d, +%d) of %d: %d bytes, %v", off, n, len(s.Rows[0]), len(got), err)
	}
	sh, err := shelf.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	var wire bytes.Buffer
	if err := sh.Slice(&wire, off, n); err != nil {
		t.Fatal(err)
	}
	desc := s.Slice(key.Index, off, n)
	if int64(wire.Len()) != desc.Len() {
		t.Fatalf("slice [%d, +%d) of %d has %d bytes, announced %d", off, n, len(s.Rows[0]), wire.Len(), desc.Len())
	}
	if got, ok := bao.VerifySlice(wire.Bytes(), store.Group, uint64(off), uint64(n), desc.Shard.Hash()); !ok || !bytes.Equal(got, want) {
		t.Fatalf("slice [%d, +%d) of %d is refused by the library", off, n, len(s.Rows[0]))
	}
}

func testWrongRanges(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 2000, 1)
	key := s.Key(Vault("a"), 0)
	mustPut(t, shelf, s, key)
	sh, err := shelf.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	const most = 1<<63 - 1
	for _, r := range [][2]int64{{0, 0}, {-1, 1}, {0, -1}, {1000, 1}, {999, 2}, {0, 1001}, {most, 1}, {1, most}, {most, most}} {
		var b bytes.Buffer
		wantError(t, "slice of a wrong range", sh.Slice(&b, r[0], r[1]), store.ErrRange)
		if b.Len() != 0 {
			t.Errorf("slice of [%d, +%d) wrote %d bytes", r[0], r[1], b.Len())
		}
	}
	// And the shard is as good as before.
	wantShard(t, shelf, s, key)
}

var errTest = errors.New("a failure made by the test")

// failingWriter fails after so many bytes, with an error that looks like the
// shelf's own.
type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		n := w.left
		w.left = 0
		return n, errors.Join(errTest, store.ErrCorrupt)
	}
	w.left -= len(p)
	return len(p), nil
}

// A writer's failure is the writer's: it comes back, and the shard stays.
func testWriters(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 600_000, 1)
	key := s.Key(Vault("a"), 1)
	mustPut(t, shelf, s, key)
	for _, left := range []int{0, 1, 100_000, 299_999} {
		sh, err := shelf.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		n, err := sh.WriteTo(&failingWriter{left})
		wantError(t, "write to a failing writer", err, errTest)
		if n > int64(left) {
			t.Errorf("%d bytes written, %d taken", n, left)
		}
		wantError(t, "slice to a failing writer", sh.Slice(&failingWriter{left}, 0, 300_000), errTest)
		if n, err := sh.WriteTo(io.Discard); err != nil || n != 300_000 {
			t.Errorf("the same shard read again: %d bytes, %v", n, err)
		}
		if err := sh.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	wantShard(t, shelf, s, key)
}
