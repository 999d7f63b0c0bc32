package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

type piece struct {
	plain []byte
	kind  Kind
}

// writeSection seals pieces, each compressed if it shrinks.
func writeSection(t rapid.TB, buf *bytes.Buffer, limit int64, full bool, pieces []piece, to ...Recipient) ([]Row, int) {
	t.Helper()
	w, err := NewSectionWriter(buf, limit, to...)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	for _, p := range pieces {
		stored, coding := Compress(nil, p.plain)
		if !w.Fits(len(stored)) {
			t.Fatal("a chunk does not fit")
		}
		r, err := w.Add(Row{ID: testKeys.ID(p.kind, p.plain), Plain: uint32(len(p.plain)), Kind: p.kind, Coding: coding, Offset: 123, Stored: 456}, stored)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	header, err := w.Close(full)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows, w.Rows()) {
		t.Fatal("Rows are others than Add returned")
	}
	return rows, header
}

func openSection(t testing.TB, sealed []byte, id Identity) *Section {
	t.Helper()
	s, err := OpenSection(bytes.NewReader(sealed), int64(len(sealed)), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSectionLaws(t *testing.T) {
	id, lane := testIdentity(t, 1), testIdentity(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		var pieces []piece
		for range rapid.IntRange(0, 8).Draw(t, "chunks") {
			pieces = append(pieces, piece{drawChunk(t, 100<<10), Kind(rapid.IntRange(0, 1).Draw(t, "kind"))})
		}
		limit := rapid.SampledFrom([]int64{0, 2 << 20, 900_000}).Draw(t, "limit")
		full := limit > 0 && rapid.Bool().Draw(t, "full")
		to := []Recipient{id.Recipient(), lane.Recipient()}[:rapid.IntRange(1, 2).Draw(t, "recipients")]

		var buf bytes.Buffer
		rows, header := writeSection(t, &buf, limit, full, pieces, to...)
		opener := []Identity{id, lane}[rapid.IntRange(0, len(to)-1).Draw(t, "opener")]
		s, err := OpenSection(bytes.NewReader(buf.Bytes()), int64(buf.Len()), opener)
		if err != nil {
			t.Fatal(err)
		}
		if SealedSize(s.Size(), len(to)) != int64(buf.Len()) || s.HeaderLen() != header || int64(header) != headerSize(len(to)) {
			t.Fatalf("%d bytes in %d, header %d or %d", s.Size(), buf.Len(), s.HeaderLen(), header)
		}
		checkPadding(t, s.Size(), rows, limit, full)
		got, err := s.Directory()
		if err != nil || !slices.Equal(got, rows) {
			t.Fatalf("%v, %v", got, err)
		}
		for i := range rows {
			p, err := s.ReadChunk(nil, rows[i])
			if err != nil || !bytes.Equal(p, pieces[i].plain) {
				t.Fatalf("chunk %d: %v", i, err)
			}
			if err := testKeys.Check(rows[i].Kind, rows[i].ID, p); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func checkPadding(t *rapid.T, size int64, rows []Row, limit int64, full bool) {
	need := int64(footerSize + rowSize*len(rows))
	for _, r := range rows {
		need += int64(r.Stored)
	}
	want := Padme(need)
	if limit > 0 {
		want = min(want, limit)
	}
	if full {
		want = limit
	}
	if size != want {
		t.Fatalf("a section that needs %d bytes has %d, want %d", need, size, want)
	}
}

// TestFullSegment fills a section up to a code's target, into a buffer that was
// made once and must not move.
func TestFullSegment(t *testing.T) {
	id := testIdentity(t, 1)
	const k = 4
	target := TargetSize(k)
	buf := bytes.NewBuffer(make([]byte, 0, SealedSize(target, 1)))
	start := &buf.Bytes()[:1][0]
	w, err := NewSectionWriter(buf, target, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	chunk, added := randomBytes(1, 800<<10), 0
	row := Row{ID: testKeys.ID(KindData, chunk), Plain: uint32(len(chunk))}
	for w.Fits(len(chunk)) {
		if _, err := w.Add(row, chunk); err != nil {
			t.Fatal(err)
		}
		added++
	}
	if _, err := w.Add(row, chunk); !errors.Is(err, ErrFull) {
		t.Fatalf("added to a full section: %v", err)
	}
	if len(w.Rows()) != added {
		t.Fatal("a refused chunk has a row")
	}
	if _, err := w.Close(true); err != nil {
		t.Fatal(err)
	}
	sealed := buf.Bytes()
	if &sealed[0] != start {
		t.Error("the buffer moved")
	}
	if len(sealed)%(k*16384) != 0 || added != int((target-footerSize)/(800<<10+rowSize)) {
		t.Errorf("%d chunks, %d bytes sealed", added, len(sealed))
	}
	s := openSection(t, sealed, id)
	rows, err := s.Directory()
	if err != nil || len(rows) != added {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	if p, err := s.ReadChunk(nil, rows[added-1]); err != nil || !bytes.Equal(p, chunk) {
		t.Errorf("last chunk: %v", err)
	}
}

// TestExactFit adds the largest chunk that fits, and one byte more.
func TestExactFit(t *testing.T) {
	to := testIdentity(t, 1).Recipient()
	const limit = 10_000
	w, err := NewSectionWriter(new(bytes.Buffer), limit, to)
	if err != nil {
		t.Fatal(err)
	}
	most := limit - footerSize - rowSize
	if w.Fits(most+1) || !w.Fits(most) {
		t.Fatalf("%d bytes do not fit, or more do", most)
	}
	if _, err := w.Add(Row{Plain: uint32(most + 1)}, make([]byte, most+1)); !errors.Is(err, ErrFull) {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := w.Add(Row{Plain: uint32(most)}, make([]byte, most)); err != nil {
		t.Errorf("exact fit: %v", err)
	}
	if _, err := w.Close(false); err != nil {
		t.Error(err)
	}
}

func TestWriterRefuses(t *testing.T) {
	to := testIdentity(t, 1).Recipient()
	for _, limit := range []int64{-1, 1, footerSize - 1, MaxSealed, maxPlain(1) + 1} {
		if _, err := NewSectionWriter(new(bytes.Buffer), limit, to); err == nil {
			t.Errorf("a limit of %d is accepted", limit)
		}
	}
	if _, err := NewSectionWriter(new(bytes.Buffer), 0); err == nil {
		t.Error("no recipient is accepted")
	}
	w, err := NewSectionWriter(new(bytes.Buffer), 0, to)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		row    Row
		stored int
	}{
		"nothing":        {Row{}, 0},
		"length":         {Row{Plain: 11}, 10},
		"kind":           {Row{Plain: 10, Kind: 2}, 10},
		"coding":         {Row{Plain: 10, Coding: 2}, 10},
		"too large":      {Row{Plain: MaxChunk + 1}, MaxChunk + 1},
		"too much plain": {Row{Plain: MaxChunk + 1, Coding: Zstd}, 10},
	} {
		if _, err := w.Add(c.row, make([]byte, c.stored)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Close(true); err == nil {
		t.Error("full without a limit")
	}
	if _, err := w.Close(false); err != nil {
		t.Error(err)
	}
	if _, err := w.Close(false); err == nil {
		t.Error("closed twice")
	}
	if _, err := w.Add(Row{Plain: 1}, []byte{1}); err == nil {
		t.Error("added to a closed section")
	}
}

func TestFileKeyOpensAgain(t *testing.T) {
	id := testIdentity(t, 1)
	plain := textBytes(1, 200_000)
	var a, b bytes.Buffer
	rows, _ := writeSection(t, &a, 0, false, []piece{{plain, KindData}}, id.Recipient())
	writeSection(t, &b, 0, false, []piece{{plain, KindData}}, id.Recipient())
	key := openSection(t, a.Bytes(), id).FileKey()
	s, err := OpenSectionWithKey(bytes.NewReader(a.Bytes()), int64(a.Len()), key)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.ReadChunk(nil, rows[0]); err != nil || !bytes.Equal(p, plain) || s.FileKey() != key {
		t.Errorf("%v, or another chunk or key", err)
	}
	if _, err := OpenSectionWithKey(bytes.NewReader(b.Bytes()), int64(b.Len()), key); !errors.Is(err, ErrSealed) {
		t.Errorf("a file key opens another file: %v", err)
	}
}

// TestRowsFromElsewhere reads rows that an index of a liar might hold.
func TestRowsFromElsewhere(t *testing.T) {
	id := testIdentity(t, 1)
	var buf bytes.Buffer
	rows, _ := writeSection(t, &buf, 0, false, []piece{{textBytes(1, 5000), KindData}, {randomBytes(1, 5000), KindTree}}, id.Recipient())
	s := openSection(t, buf.Bytes(), id)
	zstd, plain := rows[0], rows[1]
	for name, change := range map[string]func(*Row){
		"behind the end":   func(r *Row) { r.Offset = uint32(s.Size()) },
		"far behind":       func(r *Row) { r.Offset = 1<<32 - 1 },
		"across the end":   func(r *Row) { r.Offset = uint32(s.Size()) - r.Stored + 1 },
		"nothing stored":   func(r *Row) { r.Stored = 0 },
		"too much stored":  func(r *Row) { r.Stored = MaxChunk + 1 },
		"too much plain":   func(r *Row) { r.Plain = 1<<32 - 1 },
		"one byte less":    func(r *Row) { r.Plain-- },
		"another coding":   func(r *Row) { r.Coding ^= 1 },
		"no coding":        func(r *Row) { r.Coding = 2 },
		"one byte shorter": func(r *Row) { r.Stored-- },
	} {
		for _, r := range []Row{zstd, plain} {
			change(&r)
			if p, err := s.ReadChunk(nil, r); !errors.Is(err, ErrChunk) || p != nil {
				t.Errorf("%s, %v: %d bytes, %v", name, r.Coding, len(p), err)
			}
		}
	}
	moved := plain
	moved.Offset-- // reads well: only the ID tells
	p, err := s.ReadChunk(nil, moved)
	if err != nil {
		t.Fatal(err)
	}
	if err := testKeys.Check(moved.Kind, moved.ID, p); !errors.Is(err, ErrChunk) {
		t.Errorf("other bytes pass: %v", err)
	}
}

func TestReadChunkReusesMemory(t *testing.T) {
	id := testIdentity(t, 1)
	var buf bytes.Buffer
	rows, _ := writeSection(t, &buf, 0, false, []piece{{textBytes(1, 50_000), KindData}, {randomBytes(1, 50_000), KindData}}, id.Recipient())
	s := openSection(t, buf.Bytes(), id)
	dst := make([]byte, 10, 100_000)
	for _, r := range rows {
		p, err := s.ReadChunk(dst, r)
		if err != nil || &p[0] != &dst[0] {
			t.Errorf("%v chunk: %v, or not in dst", r.Coding, err)
		}
	}
}

func TestManyReaders(t *testing.T) {
	id := testIdentity(t, 1)
	var pieces []piece
	for i := range 6 {
		pieces = append(pieces, piece{textBytes(byte(i), 40_000+i), KindData}, piece{randomBytes(byte(i), 70_000+i), KindTree})
	}
	var buf bytes.Buffer
	rows, _ := writeSection(t, &buf, 0, false, pieces, id.Recipient())
	s := openSection(t, buf.Bytes(), id)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var dst []byte
			for i := range 40 {
				j := (i*7 + g) % len(rows)
				var err error
				if dst, err = s.ReadChunk(dst, rows[j]); err != nil || !bytes.Equal(dst, pieces[j].plain) {
					t.Errorf("chunk %d: %v", j, err)
				}
			}
		})
	}
	wg.Wait()
}

// recorder notes what is read.
type recorder struct {
	io.ReaderAt
	ranges [][2]int64
}

func (r *recorder) ReadAt(p []byte, off int64) (int, error) {
	r.ranges = append(r.ranges, [2]int64{off, off + int64(len(p))})
	return r.ReaderAt.ReadAt(p, off)
}

// TestWhatIsRead holds opening to head and tail, and reading to CipherRange.
func TestWhatIsRead(t *testing.T) {
	id, lane := testIdentity(t, 1), testIdentity(t, 2)
	var pieces []piece
	for i := range 10 {
		pieces = append(pieces, piece{randomBytes(byte(i), 100_000), KindData})
	}
	var buf bytes.Buffer
	rows, header := writeSection(t, &buf, 0, false, pieces, id.Recipient(), lane.Recipient())
	size := int64(buf.Len())
	within := func(what string, r *recorder, ranges ...[2]int64) {
		t.Helper()
		for _, got := range r.ranges {
			if !slices.ContainsFunc(ranges, func(a [2]int64) bool { return a[0] <= got[0] && got[1] <= a[1] }) {
				t.Errorf("%s reads [%d, %d)", what, got[0], got[1])
			}
		}
		r.ranges = nil
	}
	rec := &recorder{ReaderAt: bytes.NewReader(buf.Bytes())}
	s, err := OpenSection(rec, size, id)
	if err != nil {
		t.Fatal(err)
	}
	within("opening", rec, [2]int64{0, HeadSize}, [2]int64{size - TailSize, size})
	for _, r := range rows {
		if _, err := s.ReadChunk(nil, r); err != nil {
			t.Fatal(err)
		}
		lo, hi := CipherRange(header, int64(r.Offset), int64(r.Stored))
		within(fmt.Sprintf("chunk at %d", r.Offset), rec, [2]int64{lo, min(hi, size)})
	}
	if lo, hi := CipherRange(header, 0, s.Size()); lo != int64(header)+nonceSize || min(hi, size) != size {
		t.Errorf("all of it is [%d, %d) of %d", lo, hi, size)
	}
}

func TestClosedSection(t *testing.T) {
	id := testIdentity(t, 1)
	var buf bytes.Buffer
	rows, _ := writeSection(t, &buf, 0, false, []piece{{textBytes(1, 5000), KindData}}, id.Recipient())
	s := openSection(t, buf.Bytes(), id)
	s.Close()
	if _, err := s.ReadChunk(nil, rows[0]); err == nil || s.FileKey() != (FileKey{}) {
		t.Error("a closed section reads, or keeps its key")
	}
	if _, err := s.Directory(); err == nil {
		t.Error("a closed section has a directory")
	}
}
