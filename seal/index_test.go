package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
)

func exampleIndex() Index {
	return Index{
		Segments: []IndexSegment{
			{Segment: ident.SumDagCBOR([]byte("first")), Header: 1627, Size: uint64(SealedSize(100_000, 1))},
			{Segment: ident.SumDagCBOR([]byte("second")), Header: 1627, Size: uint64(SealedSize(TargetSize(4), 1))},
			{Header: 1627, Size: uint64(SealedSize(5000, 1))},
		},
		Chunks: []IndexChunk{
			{Row{ID: ChunkID{1}, Offset: 0, Stored: 1000, Plain: 1000}, 0},
			{Row{ID: ChunkID{2}, Offset: 1000, Stored: 500, Plain: 4 << 20, Coding: Zstd}, 0},
			{Row{ID: ChunkID{3}, Offset: 32 << 18, Stored: 4 << 20, Plain: 4 << 20}, 1},
			{Row{ID: ChunkID{4}, Offset: 7, Stored: 600, Plain: 5000, Kind: KindTree, Coding: Zstd}, 2},
		},
	}
}

func encodeIndex(t rapid.TB, x Index) []byte {
	t.Helper()
	p, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIndexIsReadBack(t *testing.T) {
	for name, x := range map[string]Index{"example": exampleIndex(), "empty": {Segments: []IndexSegment{}, Chunks: []IndexChunk{}}} {
		p := encodeIndex(t, x)
		if n := int64(len(p)); n != Padme(n) {
			t.Errorf("%s: %d bytes are not padded", name, n)
		}
		if got, err := ParseIndex(p); err != nil || !reflect.DeepEqual(got, x) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestIndexLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := Index{Segments: []IndexSegment{}, Chunks: []IndexChunk{}}
		for i := range rapid.IntRange(0, 5).Draw(t, "segments") {
			s := IndexSegment{Segment: ident.SumDagCBOR([]byte{byte(i)}), Header: 1627}
			end := uint32(0)
			for range rapid.IntRange(0, 5).Draw(t, "chunks") {
				r := drawRow(t, end)
				end = uint32(r.end())
				x.Chunks = append(x.Chunks, IndexChunk{r, uint32(i)})
			}
			s.Size = uint64(SealedSize(int64(end)+footerSize, 1))
			x.Segments = append(x.Segments, s)
		}
		if n := len(x.Segments); n > 0 && rapid.Bool().Draw(t, "metadata") {
			x.Segments[n-1].Segment = ident.CID{}
		}
		p := encodeIndex(t, x)
		got, err := ParseIndex(p)
		if err != nil || !reflect.DeepEqual(got, x) {
			t.Fatalf("%v, %v", got, err)
		}
		if n := len(x.Segments); n > 0 { // the last chunk of a section fits exactly
			x.Segments[n-1].Size--
			if _, err := x.Encode(); err == nil && x.Chunks != nil && len(x.Chunks) > 0 && x.Chunks[len(x.Chunks)-1].Segment == uint32(n-1) {
				t.Fatal("a chunk behind the end of its section is accepted")
			}
		}
	})
}

// TestMalformedIndexes changes one thing of the structure at a time: neither is it
// written nor, had somebody else written it, read.
func TestMalformedIndexes(t *testing.T) {
	for name, change := range map[string]func(*Index){
		"raw CID":            func(x *Index) { x.Segments[0].Segment = ident.SumRaw(nil) },
		"segment twice":      func(x *Index) { x.Segments[1].Segment = x.Segments[0].Segment },
		"metadata twice":     func(x *Index) { x.Segments[1].Segment = ident.CID{} },
		"no sealed length":   func(x *Index) { x.Segments[0].Size = 1627 + 16 + 65552 + 10 },
		"too long":           func(x *Index) { x.Segments[0].Size = 1 << 31 },
		"far too long":       func(x *Index) { x.Segments[0].Size = 1<<64 - 1 },
		"shorter than foot":  func(x *Index) { x.Segments[0].Size = 1627 + 16 + 16 + footerSize - 1 },
		"no room for header": func(x *Index) { x.Segments[0].Header = 1<<32 - 1 },
		"segment row":        func(x *Index) { x.Chunks[3].Segment = 3 },
		"segments unsorted":  func(x *Index) { x.Chunks[1].Segment = 1; x.Chunks[2].Segment = 0 },
		"offsets unsorted":   func(x *Index) { x.Chunks[0].Offset = 2000 },
		"overlap":            func(x *Index) { x.Chunks[1].Offset = 999 },
		"behind the end":     func(x *Index) { x.Chunks[1].Offset = 100_000 - 499 },
		"far behind the end": func(x *Index) { x.Chunks[1].Offset = 1<<32 - 1 },
		"kind":               func(x *Index) { x.Chunks[0].Kind = 2 },
		"coding":             func(x *Index) { x.Chunks[0].Coding = 2 },
		"plain length":       func(x *Index) { x.Chunks[0].Plain = 1001 },
		"nothing stored":     func(x *Index) { x.Chunks[1].Stored = 0 },
	} {
		x := exampleIndex()
		change(&x)
		if p, err := x.Encode(); !errors.Is(err, ErrMalformed) || p != nil {
			t.Errorf("%s is written: %v", name, err)
		}
		if got, err := ParseIndex(forceIndex(x)); !errors.Is(err, ErrMalformed) || got.Chunks != nil {
			t.Errorf("%s is read: %v", name, err)
		}
	}
}

// forceIndex writes what Encode refuses: the second opinion on the form, too.
func forceIndex(x Index) []byte {
	le := binary.LittleEndian
	p := le.AppendUint32([]byte("hfindx1\x00"), 1)
	p = le.AppendUint32(p, uint32(len(x.Segments)))
	p = le.AppendUint32(p, uint32(len(x.Chunks)))
	p = append(p, make([]byte, 12)...)
	for _, s := range x.Segments {
		cid := make([]byte, 36)
		if s.Segment.Defined() {
			cid = s.Segment.Bytes()
		}
		p = le.AppendUint64(le.AppendUint32(append(p, cid...), s.Header), s.Size)
	}
	for _, c := range x.Chunks {
		p = append(p, c.ID[:]...)
		for _, v := range []uint32{c.Segment, c.Offset, c.Stored, c.Plain} {
			p = le.AppendUint32(p, v)
		}
		p = append(p, byte(c.Kind), byte(c.Coding), 0, 0)
	}
	return append(p, make([]byte, Padme(int64(len(p)))-int64(len(p)))...)
}

func TestMalformedIndexBytes(t *testing.T) {
	good := encodeIndex(t, exampleIndex())
	if !bytes.Equal(good, forceIndex(exampleIndex())) {
		t.Fatal("the form differs from the one written by hand")
	}
	const chunks = 32 + 3*48
	for name, c := range map[string]struct {
		at   int
		b    byte
		want error
	}{
		"magic":             {0, 'x', ErrMalformed},
		"version":           {8, 2, ErrVersion},
		"many segments":     {15, 255, ErrMalformed},
		"many chunks":       {19, 255, ErrMalformed},
		"zero of header":    {20, 1, ErrMalformed},
		"last of header":    {31, 1, ErrMalformed},
		"CID":               {32, 2, ErrMalformed},
		"almost no CID":     {32 + 2*48 + 35, 1, ErrMalformed},
		"zero of a chunk":   {chunks + 50, 1, ErrMalformed},
		"padding":           {len(good) - 1, 1, ErrMalformed},
		"a row less":        {16, 3, ErrMalformed},
		"a row of zeros":    {16, 5, ErrMalformed},
		"begins with zeros": {chunks + 51, 1, ErrMalformed},
	} {
		p := bytes.Clone(good)
		p[c.at] = c.b
		if _, err := ParseIndex(p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range indexSize(3, 4) {
		if _, err := ParseIndex(good[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzIndex(f *testing.F) {
	good := forceIndex(exampleIndex())
	f.Add(good)
	f.Add(good[:100])
	f.Add(forceIndex(Index{}))
	f.Add([]byte(indexMagic))
	f.Fuzz(func(t *testing.T, p []byte) {
		x, err := ParseIndex(p)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("error %v", err)
			}
			return
		}
		q, err := x.Encode()
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		n := min(len(p), len(q))
		if !bytes.Equal(p[:n], q[:n]) || !isZero(p[n:]) || !isZero(q[n:]) {
			t.Fatal("two forms of one index")
		}
	})
}

func TestTrailer(t *testing.T) {
	for _, n := range [][3]int64{{1, 1, 1}, {5000, 3184, 1700}, {MaxSealed - 34, 1, 1}} {
		p := AppendTrailer([]byte("before"), n[0], n[1], n[2])
		if len(p) != 6+TrailerSize {
			t.Fatalf("%d bytes", len(p))
		}
		sum := n[0] + n[1] + n[2]
		a, b, c, err := ParseTrailer(p[6:], sum+TrailerSize)
		if err != nil || [3]int64{a, b, c} != n {
			t.Errorf("%d: %d, %d, %d, %v", n, a, b, c, err)
		}
		for _, total := range []int64{-1, 0, sum, sum + TrailerSize - 1, sum + TrailerSize + 1, 1<<63 - 1} {
			if _, _, _, err := ParseTrailer(p[6:], total); !errors.Is(err, ErrMalformed) {
				t.Errorf("%d in %d bytes: %v", n, total, err)
			}
		}
	}
	for _, n := range [][3]int64{{0, 100, 9}, {100, 0, 9}, {9, 100, 0}, {-1, 101, 9}, {101, -1, 9}, {9, 101, -1}, {MaxSealed, 1, 1}, {1 << 62, 1 << 62, 1<<63 - 1}} {
		if _, _, _, err := ParseTrailer(AppendTrailer(nil, n[0], n[1], n[2]), n[0]+n[1]+n[2]+TrailerSize); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func FuzzTrailer(f *testing.F) {
	f.Add(AppendTrailer(nil, 5000, 3000, 2000), int64(10032))
	f.Add(AppendTrailer(nil, 1<<62, 1<<62, 1), int64(-1<<63+33))
	f.Add(AppendTrailer(nil, -1, 1, 1), int64(33))
	f.Add([]byte("hfmeta1"), int64(0))
	f.Fuzz(func(t *testing.T, p []byte, total int64) {
		a, b, c, err := ParseTrailer(p, total)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if a <= 0 || b <= 0 || c <= 0 || a+b+c+TrailerSize != total || !bytes.Equal(AppendTrailer(nil, a, b, c), p) {
			t.Fatalf("%d, %d, %d in %d bytes", a, b, c, total)
		}
	})
}
