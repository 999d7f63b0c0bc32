package vault

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// Law: a long history of backups, each of which stores some segments and needs some of
// the older ones no more, takes at most 10 bytes of reference sets for each MB that it
// stores; and what is written means the set.
func TestReferenceSetsAreSmall(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	lane := ledgertest.Key("device").Public()
	var base ledger.Set
	var numbers ledger.Spans
	bytes, deltas, next := 0, 0, int64(0)
	const snapshots, segments, size = 2000, 10, 32 << 20
	for i := range snapshots {
		for range random.IntN(4) {
			if next > 0 {
				gone := random.Int64N(next)
				numbers = numbers.Minus(ledger.Spans{{First: gone, Count: 1 + random.Int64N(3)}})
			}
		}
		numbers = numbers.Union(ledger.Spans{{First: next, Count: segments}})
		next += segments
		set := ledger.Set{Lane: lane}.With(lane, ident.CID{}, numbers)
		p, err := encodeSet(set, func() ledger.Set { return base })
		if err != nil {
			t.Fatal(err)
		}
		r, err := ledger.ParseRefSet(p)
		if err != nil {
			t.Fatal(err)
		}
		if base, err = r.Resolve(lane, ident.SumDagCBOR([]byte(fmt.Sprint(i))), base); err != nil || !reflect.DeepEqual(base.Numbers(lane), numbers) {
			t.Fatalf("seed %d, snapshot %d: %v", seed, i, err)
		}
		bytes += len(p)
		if !r.IsFull() {
			deltas++
		}
	}
	perMB := float64(bytes) / (snapshots * segments * size / 1e6)
	t.Logf("%d runs of numbers at the end, %d of %d sets are deltas, %.2f bytes for each MB", len(numbers), deltas, snapshots, perMB)
	if perMB > 10 {
		t.Errorf("%.2f bytes for each MB", perMB)
	}
}

// The set on which a delta stands is found again from the bodies.
func TestNewestSet(t *testing.T) {
	c := newCachedLane(t, 3)
	s := c.open()
	defer c.close(s)
	set, err := s.newestSet(t.Context(), c.lane.Key.Public())
	if err != nil || set.Entry != c.lane.Head || set.Count() != 6 {
		t.Fatalf("%+v, %v", set, err)
	}
	for i := range 3 { // deltas on it
		commit := c.lane.Commit(fmt.Sprint("delta ", i), 2)
		next := set.With(c.lane.Key.Public(), ident.CID{}, ledger.Spans{{First: c.lane.Count, Count: 2}})
		commit.Refs = next.Since(set)
		c.take(s, c.lane, c.lane.Finish(commit))
		set, err = s.newestSet(t.Context(), c.lane.Key.Public())
		if err != nil || set.Entry != c.lane.Head || set.Depth != i+1 || set.Count() != int64(8+2*i) {
			t.Fatalf("%+v, %v", set, err)
		}
	}
}
