package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"
)

func TestSliceCheck(t *testing.T) {
	for _, s := range []Slice{
		{Size: 0, Off: 0, N: 1}, {Size: 10, Off: 0, N: 0}, {Size: 10, Off: -1, N: 1}, {Size: 10, Off: 10, N: 1},
		{Size: 10, Off: 5, N: 6}, {Size: 10, Off: 0, N: -1}, {Size: 10, Off: 1, N: math.MaxInt64},
		{Size: 10, Off: math.MaxInt64, N: math.MaxInt64}, {Size: -1, Off: 0, N: 1},
	} {
		if err := s.Check(); !errors.Is(err, ErrRange) {
			t.Errorf("%+v: %v", s, err)
		}
		if err := s.Verify(io.Discard, iotest.ErrReader(errors.New("read"))); !errors.Is(err, ErrRange) {
			t.Errorf("verify %+v: %v", s, err)
		}
	}
}

// Law: every flipped bit of a slice is found, the length in front included, which
// the hash does not cover.
func TestSliceFindsEveryFlip(t *testing.T) {
	p := prove(random(9*GroupSize+5, 1))
	s := Slice{p.cid, int64(len(p.data)), 3*GroupSize - 5, GroupSize + 10}
	wire := p.librarySlice(t, s.Off, s.N)
	good := p.data[s.Off : s.Off+s.N]
	for i := 0; i < len(wire); i++ {
		if i >= 1000 && i%101 != 0 {
			continue
		}
		bad := bytes.Clone(wire)
		bad[i] ^= 1 << (i % 8)
		var out bytes.Buffer
		if err := s.Verify(&out, bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if !bytes.HasPrefix(good, out.Bytes()) {
			t.Errorf("byte %d flipped: bad bytes have gone out", i)
		}
	}
	// A length with the same shape of tree passes the library.
	bad := bytes.Clone(wire)
	binary.LittleEndian.PutUint64(bad, uint64(s.Size-1))
	if err := s.Verify(io.Discard, bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another length: %v", err)
	}
}

func TestSliceStreamErrors(t *testing.T) {
	p := prove(random(9*GroupSize+5, 1))
	s := Slice{p.cid, int64(len(p.data)), 100, 2 * GroupSize}
	wire := p.librarySlice(t, s.Off, s.N)
	broken := errors.New("broken")
	for _, n := range []int{0, 7, 8, 100, len(wire) - 1} {
		err := s.Verify(io.Discard, bytes.NewReader(wire[:n]))
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
		r := io.MultiReader(bytes.NewReader(wire[:n]), iotest.ErrReader(broken))
		if err := s.Verify(io.Discard, r); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
			t.Errorf("broken after %d bytes: %v", n, err)
		}
	}
	if err := s.Verify(brokenWriter{broken}, bytes.NewReader(wire)); !errors.Is(err, broken) {
		t.Errorf("broken writer: %v", err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func FuzzSliceVerify(f *testing.F) {
	p := prove(random(3*GroupSize+5, 1))
	f.Add(p.librarySlice(f, 0, 1), int64(len(p.data)), int64(0), int64(1))
	f.Add(p.librarySlice(f, GroupSize, 2*GroupSize), int64(len(p.data)), int64(GroupSize), int64(2*GroupSize))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0}, int64(1), int64(0), int64(1))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 127}, int64(math.MaxInt64), int64(0), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, wire []byte, size, off, n int64) {
		// No payload is longer than a segment: callers take the size from a descriptor.
		s := Slice{p.cid, size % (1 << 30), off, n}
		var out bytes.Buffer
		if err := s.Verify(&out, bytes.NewReader(wire)); err != nil {
			return
		}
		if s.Size != int64(len(p.data)) || !bytes.Equal(out.Bytes(), p.data[s.Off:s.Off+s.N]) {
			t.Fatalf("%+v verifies and gives %d bytes", s, out.Len())
		}
	})
}
