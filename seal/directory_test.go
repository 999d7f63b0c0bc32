package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// plainSection is the plaintext of a section, as a writer makes it but not sealed.
func plainSection(rows []Row, size int) []byte {
	p := make([]byte, size-footerSize-rowSize*len(rows))
	at := int64(len(p))
	for _, r := range rows {
		p = appendRow(p, r)
	}
	return appendFooter(p, len(rows), at)
}

func exampleRows() []Row {
	return []Row{
		{ID: ChunkID{1}, Offset: 0, Stored: 100, Plain: 100, Kind: KindData},
		{ID: ChunkID{2}, Offset: 100, Stored: 50, Plain: 4 << 20, Kind: KindTree, Coding: Zstd},
		{ID: ChunkID{3}, Offset: 200, Stored: 1, Plain: 1, Kind: KindTree}, // after a gap
	}
}

func TestDirectoryIsReadBack(t *testing.T) {
	rows := exampleRows()
	for _, size := range []int{201 + 3*rowSize + footerSize, 1000, 100_000} {
		p := plainSection(rows, size)
		got, err := readDirectory(bytes.NewReader(p), int64(len(p)))
		if err != nil || !slices.Equal(got, rows) {
			t.Errorf("%d bytes: %v, %v", size, got, err)
		}
	}
	p := plainSection(nil, footerSize)
	if got, err := readDirectory(bytes.NewReader(p), footerSize); err != nil || len(got) != 0 {
		t.Errorf("empty section: %v, %v", got, err)
	}
}

// TestMalformedSections changes one thing at a time.
func TestMalformedSections(t *testing.T) {
	const size = 1000
	row := func(i int) int { return size - footerSize - (3-i)*rowSize }
	footer := size - footerSize
	for name, c := range map[string]struct {
		at    int
		value []byte
		want  error
	}{
		"magic":                  {footer, []byte("hfsect2"), ErrMalformed},
		"version 0":              {footer + 8, []byte{0}, ErrVersion},
		"version 2":              {footer + 8, []byte{2}, ErrVersion},
		"one row more":           {footer + 12, []byte{4}, ErrMalformed},
		"one row less":           {footer + 12, []byte{2}, ErrMalformed},
		"2^32-1 rows":            {footer + 12, []byte{255, 255, 255, 255}, ErrMalformed},
		"directory elsewhere":    {footer + 16, []byte{0, 0}, ErrMalformed},
		"directory far away":     {footer + 16, []byte{255, 255, 255, 255, 255, 255, 255, 255}, ErrMalformed},
		"directory at 2^63":      {footer + 16, []byte{0, 0, 0, 0, 0, 0, 0, 128}, ErrMalformed},
		"footer's zero":          {footer + 31, []byte{1}, ErrMalformed},
		"overlap":                {row(1) + 32, []byte{99}, ErrMalformed},
		"out of order":           {row(0) + 32, []byte{250}, ErrMalformed},
		"offset behind the end":  {row(2) + 32, []byte{255, 255, 255, 255}, ErrMalformed},
		"stored behind the end":  {row(1) + 36, []byte{0, 0, 16}, ErrMalformed},
		"into the directory":     {row(2) + 32, binary.LittleEndian.AppendUint32(nil, uint32(row(0))), ErrMalformed},
		"stored nothing":         {row(1) + 36, []byte{0}, ErrMalformed},
		"plain nothing":          {row(1) + 40, []byte{0, 0, 0}, ErrMalformed},
		"plain above 4 MiB":      {row(1) + 40, []byte{1, 0, 64}, ErrMalformed},
		"plain of other length":  {row(0) + 40, []byte{101}, ErrMalformed},
		"kind 2":                 {row(0) + 44, []byte{2}, ErrMalformed},
		"coding 2":               {row(0) + 45, []byte{2}, ErrMalformed},
		"zero that is not, low":  {row(0) + 46, []byte{1}, ErrMalformed},
		"zero that is not, high": {row(0) + 47, []byte{1}, ErrMalformed},
	} {
		p := plainSection(exampleRows(), size)
		copy(p[c.at:], c.value)
		rows, err := readDirectory(bytes.NewReader(p), size)
		if !errors.Is(err, c.want) || rows != nil {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
	for n := range int64(footerSize) {
		if _, err := readDirectory(bytes.NewReader(make([]byte, n)), n); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestLastPossibleByte has a chunk that ends where the directory begins.
func TestLastPossibleByte(t *testing.T) {
	rows := []Row{{ID: ChunkID{1}, Offset: 10, Stored: 20, Plain: 20}}
	p := plainSection(rows, 30+rowSize+footerSize)
	if got, err := readDirectory(bytes.NewReader(p), int64(len(p))); err != nil || !slices.Equal(got, rows) {
		t.Errorf("%v, %v", got, err)
	}
	p = plainSection(rows, 29+rowSize+footerSize)
	if _, err := readDirectory(bytes.NewReader(p), int64(len(p))); !errors.Is(err, ErrMalformed) {
		t.Errorf("a chunk that ends in the directory: %v", err)
	}
}

// shortReader ends before it should.
type shortReader struct{ r io.ReaderAt }

func (s shortReader) ReadAt(p []byte, off int64) (int, error) { return s.r.ReadAt(p[:len(p)/2], off) }

func TestReaderThatEndsEarly(t *testing.T) {
	p := plainSection(exampleRows(), 1000)
	if _, err := readDirectory(shortReader{bytes.NewReader(p)}, 1000); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

// checkRows fails unless the rows keep what a directory promises.
func checkRows(t interface{ Fatalf(string, ...any) }, rows []Row, end int64) {
	last := int64(0)
	for i, r := range rows {
		if int64(r.Offset) < last || r.end() > end || r.Stored == 0 || r.Stored > MaxChunk || r.Plain == 0 || r.Plain > MaxChunk || r.Kind > 1 || r.Coding > 1 {
			t.Fatalf("row %d is accepted: %+v", i, r)
		}
		last = r.end()
	}
}

func drawRow(t *rapid.T, offset uint32) Row {
	r := Row{
		ID:     ChunkID(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id")),
		Offset: offset + uint32(rapid.IntRange(0, 100).Draw(t, "gap")),
		Stored: uint32(rapid.IntRange(1, 1000).Draw(t, "stored")),
		Kind:   Kind(rapid.IntRange(0, 1).Draw(t, "kind")),
		Coding: Coding(rapid.IntRange(0, 1).Draw(t, "coding")),
	}
	r.Plain = r.Stored
	if r.Coding == Zstd {
		r.Plain = uint32(rapid.IntRange(1, MaxChunk).Draw(t, "plain"))
	}
	return r
}

func TestDirectoryLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []Row
		end := uint32(0)
		for range rapid.IntRange(0, 20).Draw(t, "rows") {
			r := drawRow(t, end)
			rows, end = append(rows, r), uint32(r.end())
		}
		size := int(end) + len(rows)*rowSize + footerSize + rapid.IntRange(0, 50).Draw(t, "zeros")
		p := plainSection(rows, size)
		got, err := readDirectory(bytes.NewReader(p), int64(size))
		if err != nil || !slices.Equal(got, rows) {
			t.Fatalf("%v, %v", got, err)
		}
	})
}

func FuzzSection(f *testing.F) {
	f.Add(plainSection(exampleRows(), 1000))
	f.Add(plainSection(exampleRows()[:1], 200))
	f.Add(plainSection(nil, footerSize))
	f.Add([]byte(sectionMagic))
	f.Add(plainSection(exampleRows(), 1000)[:999])
	f.Fuzz(func(t *testing.T, p []byte) {
		rows, err := readDirectory(bytes.NewReader(p), int64(len(p)))
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("error %v", err)
			}
			return
		}
		end := len(p) - footerSize - len(rows)*rowSize
		checkRows(t, rows, int64(end))
		if again := plainSection(rows, len(p)); !bytes.Equal(again[end:], p[end:]) {
			t.Fatal("two directories say the same")
		}
	})
}
