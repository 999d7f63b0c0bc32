package shardrpctest

import (
	"errors"
	"slices"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// challenges asks for every group of a segment's row.
func challenges(s Segment, index int) (all []shardrpc.Challenge) {
	size := s.Parsed.RowSize()
	for g := range store.Groups(size) {
		all = append(all, shardrpc.Challenge{Ref: s.Ref(index), Group: g, Shard: s.Parsed.Shards[index], Size: size})
	}
	return all
}

// audit asks, and compares the outcomes.
func audit(t *testing.T, u Subject, ask []shardrpc.Challenge, want ...shardrpc.Outcome) {
	t.Helper()
	got, err := u.Holder.Audit(t.Context(), ask)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("outcomes are %v, %v, not %v", got, err, want)
	}
}

func testAudit(t *testing.T, u Subject) {
	for i, size := range []int{1, 16383, 16384, 16385, 100_000, 1 << 20} {
		s := NewSegment(t, erasure.Code{K: 1, N: 2}, size, uint64(i))
		put(t, u, s, 0)
		all := challenges(s, 0)
		for some := range slices.Chunk(all, shardrpc.MaxChallenges) {
			audit(t, u, some, make([]shardrpc.Outcome, len(some))...)
		}
	}
}

// testAuditOutcomes: what is wrong with one shard says nothing about the next.
func testAuditOutcomes(t *testing.T, u Subject) {
	here, gone := NewSegment(t, erasure.Code{K: 1, N: 2}, 50_000, 1), NewSegment(t, erasure.Code{K: 1, N: 2}, 50_000, 2)
	put(t, u, here, 0)
	good, missing := challenges(here, 0)[1], challenges(gone, 0)[1]
	other := good
	other.Shard = gone.Parsed.Shards[0] // the holder has another shard there than the ledger says
	beyond := good
	beyond.Size, beyond.Group = 70_000, 4 // the ledger says that it is longer
	audit(t, u, []shardrpc.Challenge{missing, good, other, good, beyond, good},
		shardrpc.Missing, shardrpc.Proved, shardrpc.Lied, shardrpc.Proved, shardrpc.Damaged, shardrpc.Proved)
	get(t, u, here, 0)
}

func testAuditRefusals(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 2}, 50_000, 1)
	put(t, u, s, 0)
	good := challenges(s, 0)[0]
	change := func(f func(c *shardrpc.Challenge)) []shardrpc.Challenge {
		c := good
		f(&c)
		return []shardrpc.Challenge{c}
	}
	for name, ask := range map[string][]shardrpc.Challenge{
		"none":           nil,
		"too many":       slices.Repeat([]shardrpc.Challenge{good}, shardrpc.MaxChallenges+1),
		"no such group":  change(func(c *shardrpc.Challenge) { c.Group = 4 }),
		"negative group": change(func(c *shardrpc.Challenge) { c.Group = -1 }),
		"no size":        change(func(c *shardrpc.Challenge) { c.Size = 0 }),
		"absurd size":    change(func(c *shardrpc.Challenge) { c.Size = erasure.MaxSegment + 1 }),
		"no segment":     change(func(c *shardrpc.Challenge) { c.Segment = ident.CID{} }),
		"no shard":       change(func(c *shardrpc.Challenge) { c.Shard = ident.CID{} }),
		"index":          change(func(c *shardrpc.Challenge) { c.Index = 255 }),
	} {
		if _, err := u.Holder.Audit(t.Context(), ask); !errors.Is(err, shardrpc.ErrBadRequest) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	audit(t, u, []shardrpc.Challenge{good}, shardrpc.Proved)
}

// testInventory: the inventory is what was put, by buckets, and the buckets list it.
func testInventory(t *testing.T, u Subject) {
	m := custody.New()
	me := m.Holder(custody.Holder{Node: u.Node})
	for seed := range uint64(40) {
		s := NewSegment(t, erasure.Code{K: 2, N: 4}, 1000, seed)
		put(t, u, s, int(seed%4))
		held := []int{custody.Nowhere, custody.Nowhere, custody.Nowhere, custody.Nowhere}
		held[seed%4] = me
		m.Add(custody.Segment{CID: s.Name(), Code: erasure.Code{K: 2, N: 4}, RowSize: s.Parsed.RowSize(), Held: held})
	}
	signed, err := u.Holder.Inventory(t.Context(), nonce)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ledger.VerifyInventory(signed, ledger.NodeCertificate{Node: u.Node, Vote: u.Vote}, u.Vault, nonce)
	want := m.Expected(me)
	if err != nil || got.Shards != want.Shards || got.Bytes != want.Bytes || len(want.Differ(got.Buckets)) != 0 {
		t.Fatalf("inventory of %d shards, %d bytes, buckets differ: %v; %v", got.Shards, got.Bytes, want.Differ(got.Buckets), err)
	}
	for bucket := range custody.Buckets {
		if got, want := list(t, u, byte(bucket)), m.Bucket(me, bucket); !slices.EqualFunc(got, want, func(r shardrpc.Ref, w custody.Row) bool { return r == shardrpc.Ref(w.Shard()) }) {
			t.Errorf("bucket %d lists %v, not %v", bucket, got, want)
		}
	}
}

// list takes all pages of a bucket.
func list(t *testing.T, u Subject, bucket byte) (all []shardrpc.Ref) {
	t.Helper()
	var after shardrpc.Ref
	for {
		page, more, err := u.Holder.InventoryBucket(t.Context(), bucket, after)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if !more {
			return all
		}
		after = page[len(page)-1]
	}
}

// testBucketAfter: a page begins behind a shard, whether that is there or not.
func testBucketAfter(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 4}, 1000, 1)
	bucket := s.Name().Hash()[0]
	for _, i := range []int{3, 0, 2} {
		put(t, u, s, i)
	}
	for after, want := range map[int][]shardrpc.Ref{0: {s.Ref(2), s.Ref(3)}, 1: {s.Ref(2), s.Ref(3)}, 2: {s.Ref(3)}, 3: nil} {
		got, more, err := u.Holder.InventoryBucket(t.Context(), bucket, s.Ref(after))
		if err != nil || more || !slices.Equal(got, want) {
			t.Errorf("after %d: %v, %v, %v", after, got, more, err)
		}
	}
	if got := list(t, u, bucket+1); len(got) != 0 {
		t.Errorf("another bucket lists %v", got)
	}
	_, _, err := u.Holder.InventoryBucket(t.Context(), bucket, shardrpc.Ref{Segment: s.Name(), Index: -1})
	wantErr(t, err, shardrpc.ErrBadRequest)
}
