package shardrpctest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
)

// Subject is a holder under test: a shelf without shards of its vault, with room
// for 64 MiB, that lets the device do everything.
type Subject struct {
	Holder shardrpc.Holder
	Vault  ident.CID
	Device ident.PublicKey
	Node   ident.PublicKey
	Vote   ident.PublicKey // signs the receipts
}

// TestHolder is the suite that every Holder passes.
func TestHolder(t *testing.T, open func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"PutGet": testPutGet, "PutAgain": testPutAgain, "PutRefusals": testPutRefusals, "GetLies": testGetLies,
		"NotFound": testNotFound, "Range": testRange, "RangeRefusals": testRangeRefusals, "Memory": testMemory,
		"Has": testHas, "Receipt": testReceipt, "ReceiptRefusals": testReceiptRefusals, "Info": testInfo,
		"Cancelled": testCancelled, "Parallel": testParallel,
		"Audit": testAudit, "AuditOutcomes": testAuditOutcomes, "AuditRefusals": testAuditRefusals,
		"Inventory": testInventory, "BucketAfter": testBucketAfter,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var nonce = shardrpc.Nonce{1, 2, 3}

func put(t *testing.T, u Subject, s Segment, index int) {
	t.Helper()
	if err := u.Holder.Put(t.Context(), nonce, index, s.Descriptor, s.Rows[index]); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, u Subject, s Segment, index int) {
	t.Helper()
	got, err := u.Holder.Get(t.Context(), s.Ref(index), s.Parsed.Shards[index], s.Parsed.RowSize(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, s.Rows[index]) {
		t.Fatalf("row %d of %d bytes came back as %d others", index, len(s.Rows[index]), len(got))
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, not %v", err, want)
	}
}

func testPutGet(t *testing.T, u Subject) {
	for i, size := range []int{1, 2, 1023, 1025, 16384, 16385, 100_000, 1 << 20, 3<<20 + 7} {
		for _, code := range []erasure.Code{{K: 1, N: 2}, {K: 2, N: 4}} {
			s := NewSegment(t, code, size, uint64(i))
			for index := range s.Rows {
				put(t, u, s, index)
				get(t, u, s, index)
			}
		}
	}
}

func testPutAgain(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 3}, 100_000, 1)
	for range 2 {
		put(t, u, s, 1)
		get(t, u, s, 1)
	}
	// The rows are equal, but the shards are not the same one.
	_, err := u.Holder.Get(t.Context(), s.Ref(0), s.Parsed.Shards[0], s.Parsed.RowSize(), nil)
	wantErr(t, err, shardrpc.ErrNotFound)
}

func testPutRefusals(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 2, N: 4}, 3<<20, 1)
	for name, c := range map[string]struct {
		index      int
		descriptor []byte
		row        []byte
		want       error
	}{
		"another row":      {0, s.Descriptor, s.Rows[1], shardrpc.ErrMismatch},
		"short row":        {0, s.Descriptor, s.Rows[0][:1000], shardrpc.ErrMismatch},
		"long row":         {0, s.Descriptor, append(slices.Clone(s.Rows[0]), 0), shardrpc.ErrMismatch},
		"no row":           {0, s.Descriptor, nil, shardrpc.ErrMismatch},
		"index too high":   {4, s.Descriptor, s.Rows[0], shardrpc.ErrBadRequest},
		"negative index":   {-1, s.Descriptor, s.Rows[0], shardrpc.ErrBadRequest},
		"no descriptor":    {0, nil, s.Rows[0], shardrpc.ErrBadRequest},
		"bytes after it":   {0, append(slices.Clone(s.Descriptor), 0), s.Rows[0], shardrpc.ErrBadRequest},
		"long descriptor":  {0, make([]byte, erasure.MaxDescriptor+1), s.Rows[0], shardrpc.ErrBadRequest},
		"absurd bytes":     {0, bytes.Repeat([]byte{0xa1}, 100), s.Rows[0], shardrpc.ErrBadRequest},
		"false descriptor": {0, NewSegment(t, erasure.Code{K: 2, N: 4}, 3<<20, 2).Descriptor, s.Rows[0], shardrpc.ErrMismatch},
	} {
		if err := u.Holder.Put(t.Context(), nonce, c.index, c.descriptor, c.row); !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, not %v", name, err, c.want)
		}
	}
	has, err := u.Holder.Has(t.Context(), []shardrpc.Ref{s.Ref(0), s.Ref(1)})
	if err != nil || slices.Contains(has, true) {
		t.Errorf("something of it was kept: %v, %v", has, err)
	}
	put(t, u, s, 0)
	get(t, u, s, 0)
}

func testGetLies(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 2, N: 4}, 100_000, 1)
	put(t, u, s, 0)
	row := s.Parsed.RowSize()
	_, err := u.Holder.Get(t.Context(), s.Ref(0), s.Parsed.Shards[1], row, nil)
	wantErr(t, err, shardrpc.ErrLied)
	_, err = u.Holder.Get(t.Context(), s.Ref(0), s.Parsed.Shards[0], row-1, nil)
	wantErr(t, err, shardrpc.ErrLied)
	_, err = u.Holder.Range(t.Context(), s.Ref(0), s.Parsed.Shards[1], row, 10, 20, nil)
	wantErr(t, err, shardrpc.ErrLied)
	_, err = u.Holder.Range(t.Context(), s.Ref(0), s.Parsed.Shards[0], row-1, 10, 20, nil)
	wantErr(t, err, shardrpc.ErrLied)
	get(t, u, s, 0)
}

func testNotFound(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 2, N: 4}, 1000, 1)
	put(t, u, s, 0)
	for range 3 {
		_, err := u.Holder.Get(t.Context(), s.Ref(1), s.Parsed.Shards[1], s.Parsed.RowSize(), nil)
		wantErr(t, err, shardrpc.ErrNotFound)
		_, err = u.Holder.Range(t.Context(), s.Ref(1), s.Parsed.Shards[1], s.Parsed.RowSize(), 0, 1, nil)
		wantErr(t, err, shardrpc.ErrNotFound)
	}
	get(t, u, s, 0)
}

func testRange(t *testing.T, u Subject) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i, size := range []int{1, 16384, 16385, 100_000, 2<<20 + 3} {
		s := NewSegment(t, erasure.Code{K: 1, N: 2}, size, uint64(i))
		put(t, u, s, 1)
		for range 30 {
			off := random.Int64N(int64(size))
			n := 1 + random.Int64N(int64(size)-off)
			got, err := u.Holder.Range(t.Context(), s.Ref(1), s.Parsed.Shards[1], int64(size), off, n, nil)
			if err != nil {
				t.Fatalf("%d bytes at %d of %d: %v", n, off, size, err)
			}
			if !bytes.Equal(got, s.Rows[1][off:off+n]) {
				t.Fatalf("%d bytes at %d of %d are others", n, off, size)
			}
		}
	}
}

func testRangeRefusals(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 2}, 1000, 1)
	put(t, u, s, 0)
	for _, c := range [][2]int64{{0, 0}, {0, -1}, {-1, 5}, {0, 1001}, {1000, 1}, {999, 2}, {1 << 62, 1 << 62}, {1, 1<<63 - 1}} {
		_, err := u.Holder.Range(t.Context(), s.Ref(0), s.Parsed.Shards[0], 1000, c[0], c[1], nil)
		if !errors.Is(err, shardrpc.ErrRange) {
			t.Errorf("%d bytes at %d: %v", c[1], c[0], err)
		}
	}
	// A range that the asker thinks is inside, and the holder knows is not.
	_, err := u.Holder.Range(t.Context(), s.Ref(0), s.Parsed.Shards[0], 2000, 1500, 10, nil)
	wantErr(t, err, shardrpc.ErrRange)
	get(t, u, s, 0)
}

// testMemory: what the caller offers is used, and what is too short is left alone.
func testMemory(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 2}, 50_000, 1)
	put(t, u, s, 0)
	for _, room := range []int{0, 100, 50_000, 60_000} {
		dst := make([]byte, 7, max(7, room))
		whole, err := u.Holder.Get(t.Context(), s.Ref(0), s.Parsed.Shards[0], 50_000, dst)
		if err != nil || !bytes.Equal(whole, s.Rows[0]) {
			t.Fatalf("get into %d: %v", room, err)
		}
		if used := &whole[0] == &dst[0]; used != (room >= 50_000) {
			t.Errorf("get into %d: the memory was used: %v", room, used)
		}
		part, err := u.Holder.Range(t.Context(), s.Ref(0), s.Parsed.Shards[0], 50_000, 1, 49_999, dst)
		if err != nil || !bytes.Equal(part, s.Rows[0][1:]) {
			t.Fatalf("range into %d: %v", room, err)
		}
		if used := &part[0] == &dst[0]; used != (room >= 50_000) {
			t.Errorf("range into %d: the memory was used: %v", room, used)
		}
	}
}

func testHas(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 4}, 1000, 1)
	put(t, u, s, 1)
	put(t, u, s, 3)
	var refs []shardrpc.Ref
	for range shardrpc.MaxHas/4 + 10 { // more than one request can ask for
		for i := range 4 {
			refs = append(refs, s.Ref(i))
		}
	}
	has, err := u.Holder.Has(t.Context(), refs)
	if err != nil || len(has) != len(refs) {
		t.Fatal(len(has), err)
	}
	for i := range has {
		if has[i] != (refs[i].Index%2 == 1) {
			t.Fatalf("shard %d: %v", refs[i].Index, has[i])
		}
	}
	if has, err := u.Holder.Has(t.Context(), nil); err != nil || len(has) != 0 {
		t.Error(has, err)
	}
}

func testReceipt(t *testing.T, u Subject) {
	var refs []shardrpc.Ref
	want := map[shardrpc.Ref]ident.CID{}
	for seed := range uint64(5) {
		s := NewSegment(t, erasure.Code{K: 1, N: 4}, 1000, seed)
		for _, i := range []int{3, 0} {
			put(t, u, s, i)
			refs = append(refs, s.Ref(i))
			want[s.Ref(i)] = s.Parsed.Shards[i]
		}
	}
	signed, err := u.Holder.Receipt(t.Context(), nonce, refs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ledger.VerifyReceipt(signed, u.Vote, u.Vault)
	if err != nil {
		t.Fatal(err)
	}
	if r.Device != u.Device || r.Node != u.Node || r.Nonce != nonce || len(r.Shards) != len(want) {
		t.Errorf("receipt is %+v", r)
	}
	for i, s := range r.Shards {
		if want[shardrpc.Ref{Segment: s.Segment, Index: int(s.Index)}] != s.Shard {
			t.Errorf("shard %d: %+v", i, s)
		}
	}
}

func testReceiptRefusals(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 4}, 1000, 1)
	put(t, u, s, 0)
	_, err := u.Holder.Receipt(t.Context(), nonce, []shardrpc.Ref{s.Ref(0), s.Ref(1)})
	wantErr(t, err, shardrpc.ErrNotFound)
	_, err = u.Holder.Receipt(t.Context(), nonce, nil)
	wantErr(t, err, shardrpc.ErrBadRequest)
}

func testInfo(t *testing.T, u Subject) {
	before, err := u.Holder.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put(t, u, NewSegment(t, erasure.Code{K: 1, N: 2}, 1<<20, 1), 0)
	after, err := u.Holder.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked, err := u.Holder.Info(t.Context(), make([]ident.PublicKey, 0)...)
	if err != nil || len(asked.Charged) != 0 {
		t.Errorf("asked about no device: %v, %v", asked.Charged, err)
	}
	_, err = u.Holder.Info(t.Context(), make([]ident.PublicKey, shardrpc.MaxDevices+1)...)
	wantErr(t, err, shardrpc.ErrBadRequest)
	if after.Capacity < 64<<20 || before.Free-after.Free < 1<<20 || after.Network == "" || after.Clock.IsZero() {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func testCancelled(t *testing.T, u Subject) {
	s := NewSegment(t, erasure.Code{K: 1, N: 2}, 4<<20, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, u.Holder.Put(ctx, nonce, 0, s.Descriptor, s.Rows[0]), context.Canceled)
	put(t, u, s, 0)
	_, err := u.Holder.Get(ctx, s.Ref(0), s.Parsed.Shards[0], s.Parsed.RowSize(), nil)
	wantErr(t, err, context.Canceled)
	get(t, u, s, 0)
}

func testParallel(t *testing.T, u Subject) {
	var all sync.WaitGroup
	for seed := range uint64(24) {
		s := NewSegment(t, erasure.Code{K: 1, N: 2}, 50_000+int(seed), seed)
		all.Go(func() {
			if err := u.Holder.Put(t.Context(), nonce, 0, s.Descriptor, s.Rows[0]); err != nil {
				t.Error(err)
			}
			got, err := u.Holder.Get(t.Context(), s.Ref(0), s.Parsed.Shards[0], s.Parsed.RowSize(), nil)
			if err != nil || !bytes.Equal(got, s.Rows[0]) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
