package store

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"holdfast/internal/ident"

	"lukechampine.com/blake3/bao"
	"pgregory.net/rapid"
)

func random(size int, seed uint64) []byte {
	p := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range p {
		p[i] = byte(r.Uint64() >> 56)
	}
	return p
}

// proved is a payload with all that proves it.
type proved struct {
	data     []byte
	outboard []byte
	cid      ident.CID
}

func prove(data []byte) proved {
	outboard, root := bao.EncodeBuf(data, Group, true)
	return proved{data, outboard, ident.NewCID(ident.Raw, root)}
}

func (p proved) open(t rapid.TB) *Payload {
	t.Helper()
	q, err := NewPayload(bytes.NewReader(p.data), int64(len(p.data)), p.outboard, p.cid)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// librarySlice is the slice as the Bao library extracts it.
func (p proved) librarySlice(t rapid.TB, off, n int64) []byte {
	t.Helper()
	first := off / GroupSize * GroupSize
	last := min((off+n+GroupSize-1)/GroupSize*GroupSize, int64(len(p.data)))
	var b bytes.Buffer
	err := bao.ExtractSlice(&b, bytes.NewReader(p.data[first:last]), bytes.NewReader(p.outboard), Group, uint64(off), uint64(n))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOutboardSize(t *testing.T) {
	for _, n := range []int{1, GroupSize - 1, GroupSize, GroupSize + 1, 2 * GroupSize, 2*GroupSize + 1, 5*GroupSize + 7, 1 << 20, 8 << 20} {
		if got, want := OutboardSize(int64(n)), bao.EncodedSize(n, Group, true); got != int64(want) {
			t.Errorf("%d bytes: outboard of %d, library %d", n, got, want)
		}
	}
}

// Law: slices are those of the library, byte for byte, and Verify gets the range
// back out of them, reading not a byte more.
func TestSliceIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 40_000), rapid.IntRange(1, 1_500_000), rapid.SampledFrom([]int{
			GroupSize, 2 * GroupSize, 16 * GroupSize, 17 * GroupSize, 33*GroupSize + 1})).Draw(t, "size")
		off := rapid.IntRange(0, size-1).Draw(t, "off")
		n := rapid.IntRange(1, size-off).Draw(t, "n")
		p := prove(random(size, rapid.Uint64().Draw(t, "seed")))
		var got bytes.Buffer
		if err := p.open(t).Slice(&got, int64(off), int64(n)); err != nil {
			t.Fatal(err)
		}
		want := p.librarySlice(t, int64(off), int64(n))
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("slice of %d bytes, library's %d", got.Len(), len(want))
		}
		s := Slice{p.cid, int64(size), int64(off), int64(n)}
		if s.Len() != int64(len(want)) {
			t.Fatalf("announced %d bytes, has %d", s.Len(), len(want))
		}
		got.WriteString("behind")
		var out bytes.Buffer
		if err := s.Verify(&out, iotest.HalfReader(&got)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), p.data[off:off+n]) || got.String() != "behind" {
			t.Fatalf("verified %d bytes, %d left in the stream", out.Len(), got.Len())
		}
	})
}

func TestWriteTo(t *testing.T) {
	for _, size := range []int{1, GroupSize, GroupSize + 1, windowSize - 1, windowSize, windowSize + 1, 3*windowSize + 5} {
		p := prove(random(size, uint64(size)))
		var b bytes.Buffer
		if n, err := p.open(t).WriteTo(&b); err != nil || n != int64(size) || !bytes.Equal(b.Bytes(), p.data) {
			t.Errorf("%d bytes: %d, %v", size, n, err)
		}
	}
}

// Law: a flipped bit in data or outboard is found by whoever needs that part, and
// what went out before is good.
func TestDamageIsFound(t *testing.T) {
	whole := prove(random(20*GroupSize+100, 1))
	for i := 0; i < len(whole.outboard); i += 7 {
		p := proved{whole.data, bytes.Clone(whole.outboard), whole.cid}
		p.outboard[i] ^= 1 << (i % 8)
		checkDamage(t, p, whole.data)
	}
	for i := 0; i < len(whole.data); i += 5003 {
		p := proved{bytes.Clone(whole.data), whole.outboard, whole.cid}
		p.data[i] ^= 1 << (i % 8)
		checkDamage(t, p, whole.data)
		for _, off := range []int64{0, int64(i), int64(len(whole.data) - 1)} {
			concerned := off/GroupSize == int64(i)/GroupSize
			err := p.open(t).Slice(io.Discard, off, 1)
			if concerned != errors.Is(err, ErrCorrupt) || !concerned && err != nil {
				t.Errorf("byte %d damaged, slice at %d: %v", i, off, err)
			}
		}
	}
}

func checkDamage(t *testing.T, p proved, good []byte) {
	t.Helper()
	q, err := NewPayload(bytes.NewReader(p.data), int64(len(p.data)), p.outboard, p.cid)
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
		return
	}
	var b bytes.Buffer
	if _, err := q.WriteTo(&b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damage not found: %v", err)
	}
	if !bytes.HasPrefix(good, b.Bytes()) {
		t.Error("damaged bytes have gone out")
	}
	if err := q.Slice(io.Discard, 0, int64(len(p.data))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damage not found by a slice: %v", err)
	}
}

func TestPayloadOfOtherLength(t *testing.T) {
	p := prove(random(5*GroupSize, 1))
	size := int64(len(p.data))
	for name, f := range map[string]func() (*Payload, error){
		"size 0":         func() (*Payload, error) { return NewPayload(nil, 0, make([]byte, 8), p.cid) },
		"size -1":        func() (*Payload, error) { return NewPayload(nil, -1, make([]byte, 8), p.cid) },
		"one byte less":  func() (*Payload, error) { return NewPayload(nil, size-1, p.outboard, p.cid) },
		"one byte more":  func() (*Payload, error) { return NewPayload(nil, size+1, p.outboard, p.cid) },
		"short outboard": func() (*Payload, error) { return NewPayload(nil, size, p.outboard[:len(p.outboard)-1], p.cid) },
		"no outboard":    func() (*Payload, error) { return NewPayload(nil, size, nil, p.cid) },
	} {
		if _, err := f(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	short, err := NewPayload(bytes.NewReader(p.data[:size-1]), size, p.outboard, p.cid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := short.WriteTo(io.Discard); !errors.Is(err, ErrCorrupt) {
		t.Errorf("data cut short: %v", err)
	}
}

// An I/O error is not corruption.
func TestPayloadReadError(t *testing.T) {
	p := prove(random(5*GroupSize, 1))
	broken := errors.New("broken")
	q, err := NewPayload(errorReaderAt{broken}, int64(len(p.data)), p.outboard, p.cid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.WriteTo(io.Discard); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
		t.Errorf("read error: %v", err)
	}
}

type errorReaderAt struct{ err error }

func (e errorReaderAt) ReadAt([]byte, int64) (int, error) { return 0, e.err }

func BenchmarkWriteTo(b *testing.B) {
	p := prove(random(8<<20, 1))
	q := p.open(b)
	b.SetBytes(8 << 20)
	for b.Loop() {
		if _, err := q.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSlice16KiBOf8MiB(b *testing.B) {
	p := prove(random(8<<20, 1))
	q := p.open(b)
	for b.Loop() {
		if err := q.Slice(io.Discard, 5<<20, GroupSize); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifySlice1MiBOf8MiB(b *testing.B) {
	p := prove(random(8<<20, 1))
	wire := p.librarySlice(b, 3<<20, 1<<20)
	s := Slice{p.cid, 8 << 20, 3 << 20, 1 << 20}
	b.SetBytes(1 << 20)
	for b.Loop() {
		if err := s.Verify(io.Discard, bytes.NewReader(wire)); err != nil {
			b.Fatal(err)
		}
	}
}
