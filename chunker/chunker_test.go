package chunker_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"holdfast/chunker"
)

// cut returns copies of a stream's chunks.
func cut(t testing.TB, c *chunker.Chunker, r io.Reader) [][]byte {
	t.Helper()
	c.Reset(r)
	var chunks [][]byte
	for {
		p, err := c.Next()
		if err == io.EOF {
			if len(p) > 0 {
				t.Fatal("bytes came together with io.EOF")
			}
			return chunks
		}
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, bytes.Clone(p))
	}
}

func sizes(chunks [][]byte) []int {
	var s []int
	for _, p := range chunks {
		s = append(s, len(p))
	}
	return s
}

// checkChunks fails unless the chunks are the stream, each within its bounds.
func checkChunks(t testing.TB, chunks [][]byte, stream []byte) {
	t.Helper()
	if !bytes.Equal(bytes.Join(chunks, nil), stream) {
		t.Fatal("the chunks are not the stream")
	}
	for i, p := range chunks {
		if len(p) == 0 || len(p) > chunker.MaxSize || len(p) < chunker.MinSize && i < len(chunks)-1 {
			t.Fatalf("chunk %d of %d has %d bytes", i, len(chunks), len(p))
		}
	}
}

func random(seed byte, n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

// text is n bytes that compress and repeat, as prose and source code do.
func text(seed byte, n int) []byte {
	r := rand.New(rand.NewChaCha8([32]byte{seed}))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x", r.Uint64()>>(4*r.IntN(14)))
	}
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[int(r.ExpFloat64()*200)%len(words)])
		b.WriteByte(" \n\t;"[min(3, int(r.ExpFloat64()))])
	}
	return b.Bytes()[:n]
}

// portions hands a stream out in pieces of random sizes, empty ones too.
type portions struct {
	p    []byte
	rand *rand.Rand
}

func (r *portions) Read(p []byte) (int, error) {
	if len(r.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.rand.IntN(1+r.rand.IntN(1<<18)))], r.p)
	r.p = r.p[n:]
	return n, nil
}

func TestBorders(t *testing.T) {
	c := chunker.New([32]byte{1})
	data := random(2, chunker.NormalSize+1)
	for _, n := range []int{
		0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64 << 10,
		chunker.MinSize - 1, chunker.MinSize, chunker.MinSize + 1, chunker.NormalSize, chunker.NormalSize + 1,
	} {
		chunks := cut(t, c, bytes.NewReader(data[:n]))
		checkChunks(t, chunks, data[:n])
		if n <= chunker.NormalSize && len(chunks) != min(n, 1) {
			t.Errorf("%d bytes: %d chunks", n, len(chunks))
		}
	}
}

func TestZerosAreCutAtTheMaximum(t *testing.T) {
	got := sizes(cut(t, chunker.New([32]byte{1}), bytes.NewReader(make([]byte, 3*chunker.MaxSize+5))))
	want := []int{chunker.MaxSize, chunker.MaxSize, chunker.MaxSize, 5}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCutsDoNotDependOnReadSizes(t *testing.T) {
	for _, n := range []int{100, chunker.MinSize - 1, chunker.MinSize, chunker.MinSize + 1, 3<<20 + 17, 9 << 20} {
		data := random(3, n)
		want := sizes(cut(t, chunker.New([32]byte{1}), bytes.NewReader(data)))
		c := chunker.New([32]byte{1})
		seed := rand.Uint64()
		t.Logf("%d bytes: %d chunks, seed %d", n, len(want), seed)
		for name, r := range map[string]io.Reader{
			"halves":        iotest.HalfReader(bytes.NewReader(data)),
			"data with EOF": iotest.DataErrReader(bytes.NewReader(data)),
			"portions":      &portions{data, rand.New(rand.NewPCG(seed, 1))},
			"a file's":      struct{ io.Reader }{bytes.NewReader(data)},
		} {
			if got := sizes(cut(t, c, r)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d bytes, %s: %v, want %v", n, name, got, want)
			}
		}
	}
	small := random(4, chunker.MinSize+100)
	chunks := cut(t, chunker.New([32]byte{}), iotest.OneByteReader(bytes.NewReader(small)))
	checkChunks(t, chunks, small)
}

func TestKeyDecidesCuts(t *testing.T) {
	data := random(5, 16<<20)
	a := sizes(cut(t, chunker.New([32]byte{1}), bytes.NewReader(data)))
	b := sizes(cut(t, chunker.New([32]byte{2}), bytes.NewReader(data)))
	if fmt.Sprint(a) == fmt.Sprint(b) {
		t.Error("two keys cut alike")
	}
}

func TestResetForgets(t *testing.T) {
	c := chunker.New([32]byte{1})
	data := random(6, 12<<20)
	want := sizes(cut(t, c, bytes.NewReader(data)))
	for _, before := range []int{0, 100, chunker.MinSize, 6 << 20} {
		c.Reset(bytes.NewReader(random(7, before)))
		if _, err := c.Next(); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if got := sizes(cut(t, c, bytes.NewReader(data))); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("after a stream of %d bytes: %v, want %v", before, got, want)
		}
	}
}

func TestNoStreamYet(t *testing.T) {
	if p, err := chunker.New([32]byte{}).Next(); p != nil || err != io.EOF {
		t.Errorf("%d bytes, %v", len(p), err)
	}
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	torn := fmt.Errorf("connection lost: %w", io.EOF)
	for _, want := range []error{broken, torn, io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 10, chunker.MinSize, chunker.MinSize + 1, 10 << 20} {
			c := chunker.New([32]byte{1})
			data := random(8, n)
			c.Reset(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(want)))
			read := 0
			for {
				p, err := c.Next()
				if err == nil {
					read += len(p)
					continue
				}
				if err != want || p != nil {
					t.Errorf("%d bytes, then %v: %d bytes and %v", n, want, len(p), err)
				}
				break
			}
			if _, err := c.Next(); err != want {
				t.Errorf("%d bytes: the error %v did not stay: %v", n, want, err)
			}
			if read > n {
				t.Errorf("%d bytes came out of %d", read, n)
			}
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestReaderThatNeverReturnsAnything(t *testing.T) {
	for _, n := range []int{0, 10, chunker.MinSize, chunker.MinSize + 1} {
		c := chunker.New([32]byte{1})
		c.Reset(io.MultiReader(bytes.NewReader(random(9, n)), stuck{}))
		if _, err := c.Next(); err != io.ErrNoProgress {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// fuzzStream limits what a fuzzed stream may have: room for a largest chunk and more.
const fuzzStream = chunker.MaxSize + chunker.MinSize

func FuzzChunker(f *testing.F) {
	f.Add([]byte("a"), uint16(1), uint64(1))
	f.Add([]byte{}, uint16(9), uint64(2))
	f.Add(random(1, 500), uint16(600), uint64(3))
	f.Add(random(1, 500), uint16(3000), uint64(4))
	f.Add(make([]byte, 500), uint16(60000), uint64(5))
	c := chunker.New([32]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, piece []byte, times uint16, seed uint64) {
		stream := bytes.Repeat(piece, min(int(times), fuzzStream/max(1, len(piece))))
		r := rand.New(rand.NewPCG(seed, seed))
		for range min(5, len(stream)/1000) { // break up the repetition
			stream[r.IntN(len(stream))] ^= byte(r.Uint32())
		}
		chunks := cut(t, c, &portions{stream, r})
		checkChunks(t, chunks, stream)
	})
}
