package seal

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// countedReader counts the bytes that are asked for, and fails while it is told to.
type countedReader struct {
	r    io.ReaderAt
	n    atomic.Int64
	fail atomic.Bool
}

var errGone = errors.New("gone")

func (c *countedReader) ReadAt(p []byte, off int64) (int, error) {
	if c.fail.Load() {
		return 0, errGone
	}
	c.n.Add(int64(len(p)))
	return c.r.ReadAt(p, off)
}

// Whatever is read in whatever order, it is what the file holds there.
func TestPiecesLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := randomBytes(rapid.Byte().Draw(t, "seed"), rapid.IntRange(0, 20*pieceSize).Draw(t, "size"))
		s := &pieces{plain: bytes.NewReader(want), size: int64(len(want))}
		for range rapid.IntRange(1, 40).Draw(t, "reads") {
			off := rapid.IntRange(0, len(want)).Draw(t, "off")
			if rapid.Bool().Draw(t, "aligned") {
				off -= off % pieceSize
			}
			p := make([]byte, rapid.IntRange(0, 3*pieceSize).Draw(t, "length"))
			n, err := s.ReadAt(p, int64(off))
			if want := min(len(p), len(want)-off); n != want || (err == io.EOF) != (want < len(p)) || err != nil && err != io.EOF {
				t.Fatalf("%d bytes of %d at %d: %v", n, len(p), off, err)
			}
			if !bytes.Equal(p[:n], want[off:off+n]) {
				t.Fatalf("other bytes at %d", off)
			}
			if len(s.kept) > keptPieces {
				t.Fatalf("%d pieces are kept", len(s.kept))
			}
		}
	})
}

// Short chunks that lie beside each other cost each piece once, also when several
// goroutines read them.
func TestPiecesAreReadOnce(t *testing.T) {
	const size, short = 64 * pieceSize, 5000
	src := &countedReader{r: bytes.NewReader(randomBytes(1, size))}
	s := &pieces{plain: src, size: size}
	var next atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			p := make([]byte, short)
			for {
				off := next.Add(short) - short
				if off >= size {
					return
				}
				if _, err := s.ReadAt(p, off); err != nil && err != io.EOF {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := src.n.Load(); n > size+8*pieceSize { // a goroutine may have fallen far behind
		t.Errorf("%d bytes were decrypted of %d", n, size)
	}
}

// A failure is not kept: the next one who asks tries again.
func TestPiecesForgetFailures(t *testing.T) {
	want := randomBytes(1, 3*pieceSize)
	src := &countedReader{r: bytes.NewReader(want)}
	s := &pieces{plain: src, size: int64(len(want))}
	p := make([]byte, 100)
	src.fail.Store(true)
	if n, err := s.ReadAt(p, pieceSize-50); n != 0 || !errors.Is(err, errGone) {
		t.Fatal(n, err)
	}
	src.fail.Store(false)
	if _, err := s.ReadAt(p, pieceSize-50); err != nil || !bytes.Equal(p, want[pieceSize-50:][:100]) {
		t.Fatal(err)
	}
	for _, off := range []int64{-1, s.size + 1} {
		if _, err := s.ReadAt(p, off); !errors.Is(err, ErrSealed) {
			t.Error(off, err)
		}
	}
}
