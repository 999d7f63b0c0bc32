package object

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	. "holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/seal"
	"holdfast/vault/index"
)

// SPEC: readers keep all candidate places of a chunk and try the next when one
// fails its keyed check.
func TestFalsePlaces(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	data := noise(3<<20, 1)
	c := b.store(w, data)
	commit := b.finish(w)
	other := commit.Index.Chunks[0]
	segment := commit.Index.Segments[0]

	r := b.reader(func(c *ReaderConfig) {
		c.Places = func(kind seal.Kind, id seal.ChunkID) ([]index.Place, error) {
			places, err := b.index.Places(kind, id)
			return append(lies(places[0], other.Row, segment), places...), err
		}
	})
	b.mustLoad(r, c, data)
	if len(b.lies) == 0 {
		t.Error("nobody was told of the false places")
	}
	for _, p := range b.lies {
		if p.Lane == b.own {
			t.Fatalf("the true lane is accused: %+v", p)
		}
	}
	b.lies = nil
	for rows := c.Rows; len(rows) > 0; rows = rows[rowSize:] { // by ranges
		r := b.reader(func(c *ReaderConfig) { c.Places = r.cfg.Places })
		n := plainLen(rows)
		got, err := load(r, Content{Rows: rows[:rowSize]})
		if err != nil || !bytes.Equal(got, data[:n]) {
			t.Fatalf("chunk: %v", err)
		}
		data = data[n:]
	}
}

// lies are places of a chunk that a hostile lane may claim.
func lies(p index.Place, other seal.Row, s seal.IndexSegment) []index.Place {
	p.Lane = Key("hostile", 1).Public()
	var all []index.Place
	add := func(change func(*index.Place)) {
		q := p
		change(&q)
		all = append(all, q)
	}
	add(func(q *index.Place) { q.Segment = ident.SumDagCBOR([]byte("no segment")) })
	add(func(q *index.Place) { q.Row.Offset += 17 })
	add(func(q *index.Place) { q.Row.Offset = 1 << 31 })
	add(func(q *index.Place) { q.Row.Stored, q.Row.Plain = 1, 1 })
	add(func(q *index.Place) { q.Row.Stored = 0 })
	add(func(q *index.Place) { q.Row.Stored = 1 << 31 })
	add(func(q *index.Place) { q.Row.Coding = seal.Zstd })
	add(func(q *index.Place) { q.Row.Coding = 7 })
	add(func(q *index.Place) { q.Header += 100_000 })
	add(func(q *index.Place) { q.Header = 1<<32 - 1 })
	add(func(q *index.Place) { q.Header = 0 })
	add(func(q *index.Place) { q.Sealed-- })
	add(func(q *index.Place) { q.Sealed = 0 })
	add(func(q *index.Place) { q.Sealed = 1<<64 - 1 })
	return all
}

// keep puts a coded segment on the shelves and into the index.
func (b *bed) keep(s Segment) ident.CID {
	b.t.Helper()
	for i := range s.Rows {
		b.node(i).Keep(b.t, b.net.Vault, s, i)
	}
	nodes, _ := (&straight{b: b}).Place(0)
	err := b.index.AddSegments(ident.SumDagCBOR([]byte("x")), []index.Segment{{CID: s.Name(), Descriptor: s.Descriptor, Nodes: nodes}})
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Name()
}

// illCoded is a segment one parity row of which has nothing to do with the others,
// while its descriptor names it all right.
func illCoded(t testing.TB, code erasure.Code, size int) Segment {
	s := NewSegment(t, code, size, 1)
	s.Rows[code.N-1] = noise(len(s.Rows[0]), 5)
	coder, err := erasure.NewCoder(code)
	if err != nil {
		t.Fatal(err)
	}
	if s.Parsed, err = coder.Describe(s.Rows, int64(size)); err != nil {
		t.Fatal(err)
	}
	s.Descriptor = s.Parsed.Encode()
	return s
}

func TestIllCodedSegment(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	segment := b.keep(illCoded(t, b.code, 1<<20))
	r := b.reader()
	if _, err := r.Whole(t.Context(), segment); err != nil {
		t.Errorf("all data rows are there: %v", err)
	}
	b.breakAll(Lost, 1, 2)
	_, err := r.Whole(t.Context(), segment)
	wantErr(t, err, ErrIllCoded)
	for i := range 4 {
		for _, err := range b.faultsOf(i) {
			if i != 1 && i != 2 {
				t.Errorf("holder %d is accused: %v", i, err)
			}
		}
	}
	// Also where it is met by a range.
	place := index.Place{Segment: segment, Lane: b.own, Header: 1627, Sealed: 1 << 20, Row: seal.Row{Offset: 600_000, Stored: 100, Plain: 100}}
	r = b.reader(func(c *ReaderConfig) {
		c.Places = func(seal.Kind, seal.ChunkID) ([]index.Place, error) { return []index.Place{place}, nil }
	})
	_, err = r.Tree(t.Context(), seal.ChunkID{1})
	wantErr(t, err, ErrUnreadable, ErrIllCoded)
}

func TestWhole(t *testing.T) {
	for _, code := range []erasure.Code{{K: 1, N: 3}, {K: 3, N: 7}, {K: 4, N: 8}} {
		b := newBed(t, code, 0)
		for _, size := range []int{1, 2, code.K, 1000, 100_003, 1<<20 + 1} {
			s := NewSegment(t, code, size, uint64(size))
			segment := b.keep(s)
			want := bytes.Join(s.Rows[:code.K], nil)[:size]
			for _, lost := range lossPatterns(code) {
				for i := range code.N {
					b.node(i).Break(None)
				}
				b.breakAll(Lost, lost...)
				r := b.reader()
				got, err := r.Whole(t.Context(), segment)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%v, %d bytes, without %v: %v", code, size, lost, err)
				}
				if padded := got[:cap(got)]; len(padded)%code.K != 0 {
					t.Fatalf("capacity %d", cap(got))
				}
				r.Close()
			}
			b.breakAll(None, lossPatterns(code)[0]...)
		}
	}
}

// lossPatterns are some ways to lose n-k rows or fewer.
func lossPatterns(code erasure.Code) [][]int {
	m := code.N - code.K
	all := [][]int{{}, {0}, {code.K - 1}, {code.N - 1}}
	for shift := 0; shift <= code.K; shift++ {
		var p []int
		for i := range m {
			p = append(p, (i+shift)%code.N)
		}
		all = append(all, p)
	}
	return all
}

func TestCheckShards(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	s := NewSegment(t, b.code, 3<<20, 1)
	segment := b.keep(s)
	l, err := b.locate(segment)
	if err != nil {
		t.Fatal(err)
	}
	row := s.Parsed.RowSize()
	for _, fraction := range []float64{0, 0.01, 0.5, 1, 7} {
		c, err := b.reader().CheckShards(t.Context(), segment, l, fraction)
		if err != nil || c.Good() != 4 || c.IllCoded {
			t.Fatalf("%v: %+v, %v", fraction, c, err)
		}
		want := min(row, int64(fraction*float64(row))+checkAlign)
		for _, x := range c.Shards {
			if !x.Claimed || x.Verified > want || x.Verified < int64(min(fraction, 1)*float64(row)) {
				t.Errorf("%v: %+v", fraction, x)
			}
		}
	}
	for f, noticed := range map[Fault]bool{Dead: true, Paused: true, Corrupt: false, Lost: false, WrongBytes: false} {
		b.node(2).Break(f)
		for _, fraction := range []float64{0, 1} {
			c, err := b.reader().CheckShards(t.Context(), segment, l, fraction)
			if err != nil || c.IllCoded {
				t.Fatalf("%v: %+v, %v", f, c, err)
			}
			if good := c.Good(); good != 4 && good != 3 || (good == 3) != (noticed || fraction > 0) {
				t.Errorf("%v, %v: %d good shards", f, fraction, good)
			}
			if c.Shards[2].Node != b.key(2) || c.Good() == 3 && c.Shards[2].Err == nil {
				t.Errorf("%v: the wrong one is blamed: %+v", f, c.Shards)
			}
		}
	}
	l.Nodes = []ident.PublicKey{b.key(0), {}, b.key(1)}
	c, err := b.reader().CheckShards(t.Context(), segment, l, 0)
	if err != nil || c.Good() != 1 {
		t.Errorf("shards with the wrong holders: %+v, %v", c, err)
	}
	b.node(2).Break(None)
	ill := illCoded(t, b.code, 1<<20)
	b.keep(ill)
	l, _ = b.locate(ill.Name())
	c, err = b.reader().CheckShards(t.Context(), ill.Name(), l, 0.01)
	if err != nil || !c.IllCoded || c.Good() != 4 {
		t.Errorf("ill-coded: %+v, %v", c, err)
	}
	if _, err := b.reader().CheckShards(t.Context(), segment, Location{}, 1); err == nil {
		t.Error("checked by an invalid descriptor")
	}
}

// What a hostile index leads to is an error, never a crash or a hang.
func TestInvalidLocation(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	s := NewSegment(t, b.code, 100_000, 1)
	segment := b.keep(s)
	good := s.Parsed
	for name, change := range map[string]func(*Location){
		"zero":      func(l *Location) { *l = Location{} },
		"no nodes":  func(l *Location) { l.Nodes = nil },
		"size":      func(l *Location) { l.Descriptor.Size = 1 << 20 },
		"code":      func(l *Location) { l.Descriptor.K = 1 },
		"no shards": func(l *Location) { l.Descriptor.Shards = nil },
	} {
		r := b.reader(func(c *ReaderConfig) {
			c.Locate = func(ident.CID) (Location, error) {
				nodes, _ := (&straight{b: b}).Place(0)
				l := Location{Descriptor: good, Nodes: nodes}
				change(&l)
				return l, nil
			}
		})
		got, err := r.Whole(context.Background(), segment)
		if err == nil && name != "code" {
			t.Errorf("%s: %d bytes", name, len(got))
		}
		if _, err := r.Index(context.Background(), segment); err == nil {
			t.Errorf("%s: an index", name)
		}
	}
}

func TestFaultNamesTheShard(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	s := NewSegment(t, b.code, 100_000, 1)
	segment := b.keep(s)
	b.node(1).Break(WrongBytes)
	var told []string
	r := b.reader(func(c *ReaderConfig) {
		c.Fault = func(node ident.PublicKey, ref shardrpc.Ref, err error) {
			told = append(told, fmt.Sprint(node == b.key(1), ref == s.Ref(1)))
			wantErr(t, err, shardrpc.ErrLied)
		}
	})
	if _, err := r.Whole(t.Context(), segment); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != "true true" {
		t.Errorf("told %v", told)
	}
}
