package node

import (
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
	"holdfast/store"
	"holdfast/store/storetest"
)

func TestDeletionBudget(t *testing.T) {
	const tib = 1 << 40
	for _, c := range []struct{ configured, used, want int64 }{
		{0, 0, LeastBudget}, {0, 300 << 30, LeastBudget}, {0, 320 << 30, LeastBudget}, {0, tib, tib / 20}, {0, 10 * tib, tib / 2}, {1, tib, 1}, {5 * tib, 0, 5 * tib},
	} {
		if got := deletionBudget(c.configured, store.Usage{Used: c.used}); got != c.want {
			t.Errorf("configured %d with %d stored: %d, not %d", c.configured, c.used, got, c.want)
		}
	}
}

func TestAffordable(t *testing.T) {
	list := []store.Discarded{{Bytes: 10}, {Bytes: 10}, {Bytes: 5}, {Bytes: 1}}
	for _, c := range []struct {
		erased, budget int64
		want           int
	}{
		{0, 100, 4}, {0, 26, 4}, {0, 25, 3}, {0, 20, 2}, {0, 19, 1}, {0, 1, 1}, {1, 11, 1}, {1, 10, 0}, {100, 10, 0}, {1<<63 - 1, 1 << 40, 0},
	} {
		if got := affordable(list, c.erased, c.budget); got != c.want {
			t.Errorf("%d erased of %d: %d, not %d", c.erased, c.budget, got, c.want)
		}
	}
}

// What was erased in the last 24 hours counts, by whole hours, and once.
func TestErasedInADay(t *testing.T) {
	b, clock := newBook(t)
	bury := func(i int, n int64) {
		t.Helper()
		must(t, b.bury([]store.Discarded{{Key: shardKey("v", i, 0), Reason: store.Reason{Release: storetest.Release("r")}, Bytes: n}}))
	}
	want := func(n int64) {
		t.Helper()
		if got := b.erased(clock.now()); got != n {
			t.Errorf("%d erased, not %d", got, n)
		}
	}
	want(0)
	bury(1, 100)
	bury(1, 100) // as after a crash before it was erased
	bury(2, 50)
	want(150)
	clock.advance(23 * time.Hour)
	bury(3, 7)
	want(157)
	clock.advance(2 * time.Hour)
	want(7)
	clock.advance(50 * time.Hour)
	bury(4, 1)
	want(1)
	// A clock that went back does not give the budget back.
	clock.advance(-40 * time.Hour)
	want(1)
}

// A budget makes a release slow: each day erases its part, whatever is killed in
// between, and an undersized one a shard a day.
func TestBudgetIsKept(t *testing.T) {
	b := newBench(t, 4)
	var segments []ident.CID
	var keys []store.Key
	for i := range 5 {
		g, k := b.certifiedShard(uint64(i))
		segments, keys = append(segments, g.CID), append(keys, k)
	}
	c := b.court()
	c.release(segments...)
	f := c.follower()
	c.look(f)
	d, err := b.parts().shelf.Discarded(t.Context(), keys[0])
	must(t, err)
	f.budget = 2*d.Bytes + d.Bytes/2
	b.clock.advance(b.vault.Charter.Terms().Trash)
	for day, want := range []int{2, 4, 5} {
		for range 3 {
			c.look(f)
		}
		if n := b.erasedOf(keys); n != want {
			t.Errorf("day %d: %d are erased, not %d", day, n, want)
		}
		b.clock.advance(25 * time.Hour)
	}

	g, k := b.certifiedShard(9)
	c.serves = nil
	must(t, b.parts().book.setCursor(b.vault.ID(), b.vault.Members[0].Operator.Public(), 1))
	for _, m := range b.vault.Members {
		must(t, b.parts().book.setCursor(b.vault.ID(), m.Operator.Public(), 1))
	}
	c.release(g.CID)
	f.budget = 1
	c.look(f)
	b.clock.advance(b.vault.Charter.Terms().Trash)
	c.look(f)
	if b.where(k) != "erased" {
		t.Errorf("a budget of 1 byte: %s", b.where(k))
	}
}

func (b *bench) erasedOf(keys []store.Key) (n int) {
	for _, k := range keys {
		if b.where(k) == "erased" {
			n++
		}
	}
	return n
}

// Tombstones stand for 400 days, and of too many the oldest go first.
func TestTombstones(t *testing.T) {
	b, clock := newBook(t)
	var keys []store.Key
	for i := range 10 {
		k := shardKey("v", i, 0)
		keys = append(keys, k)
		must(t, b.bury([]store.Discarded{{Key: k, Reason: store.Reason{Release: storetest.Release("r")}, Bytes: 1}}))
		clock.advance(24 * time.Hour)
	}
	standing := func() (n int) {
		for _, k := range keys {
			if tomb, ok, err := b.tomb(k); err != nil || ok && tomb.Release != storetest.Release("r") {
				t.Error(tomb, err)
			} else if ok {
				n++
			}
		}
		return n
	}
	must(t, b.pruneTombs(10))
	if n := standing(); n != 10 {
		t.Errorf("%d stand", n)
	}
	must(t, b.pruneTombs(4))
	if _, oldest, _ := b.tomb(keys[5]); standing() != 4 || oldest {
		t.Errorf("%d stand of 4, the oldest too: %v", standing(), oldest)
	}
	clock.t = ledgertest.Start().Add(tombsKept + 7*24*time.Hour)
	must(t, b.pruneTombs(10))
	if n := standing(); n != 2 {
		t.Errorf("%d stand after 407 days", n)
	}
	must(t, b.unbury(keys[9]))
	must(t, b.unbury(keys[9]))
	if n := standing(); n != 1 {
		t.Errorf("%d stand", n)
	}
}
