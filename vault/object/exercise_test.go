package object

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	. "holdfast/p2p/shardrpc/shardrpctest"
)

// always has every healthy read exercised, with as many parity rows as a source says.
func always(source *rand.Rand) func(*ReaderConfig) {
	var mu sync.Mutex
	return func(c *ReaderConfig) {
		c.Random = func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			if n == exerciseEvery {
				return 0
			}
			return source.IntN(n)
		}
	}
}

// Whatever parity rows stand for whatever data rows, the bytes are the same, no more
// rows are fetched than otherwise, and each such read is counted.
func TestParityIsRead(t *testing.T) {
	for _, code := range []erasure.Code{{K: 1, N: 3}, {K: 2, N: 4}, {K: 4, N: 8}} {
		t.Run(code.String(), func(t *testing.T) {
			b := newBed(t, code, 0)
			w := b.writer()
			data := noise(1<<20, 1)
			b.store(w, data)
			segment := b.finish(w).Segments[0].CID
			want, err := b.reader().Whole(t.Context(), segment)
			if err != nil {
				t.Fatal(err)
			}
			const seed = 3
			t.Logf("seed %d", seed)
			source := rand.New(rand.NewPCG(seed, 0))
			for i := range int64(20) {
				before := b.gets()
				r := b.reader(always(source))
				got, err := r.Whole(t.Context(), segment)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("read %d differs: %v", i, err)
				}
				if n := b.gets() - before; n != int64(code.K) {
					t.Fatalf("%d rows were fetched for %d", n, code.K)
				}
				if n := r.cfg.Counters.Decoded.Load(); n != 1 {
					t.Fatalf("%d segments are counted as decoded", n)
				}
			}
			for i := code.K; i < code.N; i++ {
				if b.node(i).Gets() == 0 {
					t.Errorf("parity row %d was never read", i)
				}
			}
		})
	}
}

func (b *bed) gets() (n int64) {
	for _, node := range b.net.Nodes {
		n += node.Gets()
	}
	return n
}

// About one out of 16 whole reads is exercised by the program's own source.
func TestShareOfExercisedReads(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	segment := b.keep(NewSegment(t, b.code, 1000, 1))
	const reads, seed = 400, 7
	t.Logf("seed %d", seed)
	source := rand.New(rand.NewPCG(seed, 0))
	r := b.reader(func(c *ReaderConfig) { c.Random = source.IntN })
	for range reads {
		if _, err := r.Whole(t.Context(), segment); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.cfg.Counters.Decoded.Load(); n < reads/32 || n > reads/8 {
		t.Errorf("%d of %d reads were decoded", n, reads)
	}
}

// A read that lacks a holder decodes because it must, and with no row less at hand.
func TestNoExerciseWhereHoldersAreMissing(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	s := NewSegment(t, b.code, 1000, 1)
	segment := b.keep(s)
	r := b.reader(always(rand.New(rand.NewPCG(1, 0))), func(c *ReaderConfig) {
		locate := c.Locate
		c.Locate = func(id ident.CID) (Location, error) {
			l, err := locate(id)
			l.Nodes = slices.Clone(l.Nodes)
			l.Nodes[3] = ident.PublicKey{}
			return l, err
		}
	})
	for range 5 {
		if _, err := r.Whole(t.Context(), segment); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.cfg.Counters.Decoded.Load(); n != 0 {
		t.Errorf("%d reads were decoded although a holder is missing", n)
	}
	b.breakAll(Lost, 0, 1)
	if _, err := b.reader(always(rand.New(rand.NewPCG(1, 0)))).Whole(t.Context(), segment); err != nil {
		t.Errorf("parity alone does not do: %v", err)
	}
}

// A segment whose parity does not belong to its data is found by reading it as usual,
// and is read all the same.
func TestExerciseFindsIllCodedSegments(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	s := illCoded(t, b.code, 1000)
	segment := b.keep(s)
	var accused []ident.CID
	r := b.reader(always(rand.New(rand.NewPCG(5, 0))), func(c *ReaderConfig) {
		c.IllCoded = func(id ident.CID) { accused = append(accused, id) }
	})
	for range 10 {
		got, err := r.Whole(t.Context(), segment)
		if err != nil || !bytes.Equal(got, slices.Concat(s.Rows[:b.code.K]...)[:1000]) {
			t.Fatalf("the data rows do not come back: %v", err)
		}
	}
	if len(accused) == 0 || accused[0] != segment {
		t.Errorf("accused: %v", accused)
	}
	for i := range b.net.Nodes {
		if len(b.faultsOf(i)) > 0 {
			t.Errorf("holder %d is blamed: %v", i, b.faultsOf(i))
		}
	}
}
