package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/internal/ident"
	"holdfast/store"

	"pgregory.net/rapid"
)

// Full is a shelf with its trash.
type Full interface {
	store.Shelf
	store.Trash
}

// FullFactory makes an empty shelf, with an empty trash, for so many bytes. It
// cleans up by t.Cleanup.
type FullFactory func(t testing.TB, capacity int64) Full

// TestTrash is the conformance suite for store.Trash.
func TestTrash(t *testing.T, factory FullFactory) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, FullFactory)
	}{
		{"discard and recall", testDiscard},
		{"erase", testErase},
		{"what is not there", testNothingToDiscard},
		{"listing the trash", testDiscards},
		{"put while in the trash", testPutDiscarded},
		{"the trash takes space", testTrashIsFull},
		{"open shards stay readable", testReadDiscarded},
		{"cancelled contexts", testTrashCancelled},
		{"concurrent everything", testTrashConcurrent},
		{"random operations", testTrashModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, factory) })
	}
}

// Release makes a reason's release out of a name.
func Release(name string) ident.CID { return ident.SumDagCBOR([]byte("release " + name)) }

func reason(name string, ms int64) store.Reason {
	return store.Reason{Release: Release(name), Time: ms}
}

func mustDiscard(t testing.TB, shelf Full, key store.Key, why store.Reason) {
	t.Helper()
	if err := shelf.Discard(t.Context(), key, why); err != nil {
		t.Fatalf("discard: %v", err)
	}
}

// trash collects what is in the trash of a vault, or of all for the zero CID.
func trash(t testing.TB, shelf Full, vault ident.CID) map[store.Key]store.Discarded {
	t.Helper()
	found := make(map[store.Key]store.Discarded)
	for d, err := range shelf.Discards(t.Context(), vault) {
		if err != nil {
			t.Fatalf("list trash: %v", err)
		}
		if _, twice := found[d.Key]; twice {
			t.Errorf("list trash: %v twice", d.Key)
		}
		found[d.Key] = d
	}
	return found
}

func testDiscard(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 100_000, 1)
	key, other := s.Key(Vault("a"), 1), s.Key(Vault("b"), 1)
	mustPut(t, shelf, s, key)
	mustPut(t, shelf, s, other)
	before := usage(t, shelf)
	each := before.Used / 2
	why := reason("r", 1_700_000_000_123)
	for range 2 {
		mustDiscard(t, shelf, key, why)
		wantNone(t, shelf, key)
		wantShard(t, shelf, s, other)
		if n := len(list(t, shelf, store.Key{})); n != 1 {
			t.Errorf("%d listed", n)
		}
		want := store.Usage{Capacity: roomy, Used: before.Used, Shards: 1, Trashed: each}
		if u := usage(t, shelf); u != want {
			t.Errorf("usage %+v; want %+v", u, want)
		}
		if d := trash(t, shelf, ident.CID{}); len(d) != 1 || d[key] != (store.Discarded{Key: key, Reason: why, Bytes: each}) {
			t.Errorf("trash %+v", d)
		}
		if d, err := shelf.Discarded(t.Context(), key); err != nil || d != (store.Discarded{Key: key, Reason: why, Bytes: each}) {
			t.Errorf("in the trash: %+v, %v", d, err)
		}
		if err := shelf.Recall(t.Context(), key); err != nil {
			t.Fatalf("recall: %v", err)
		}
		wantShard(t, shelf, s, key)
		if u := usage(t, shelf); u != before {
			t.Errorf("usage %+v after recalling, %+v before discarding", u, before)
		}
		if d := trash(t, shelf, ident.CID{}); len(d) != 0 {
			t.Errorf("trash %+v", d)
		}
	}
}

func testErase(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 100_000, 1)
	key, kept := s.Key(Vault("a"), 1), s.Key(Vault("a"), 2)
	mustPut(t, shelf, s, kept)
	before := usage(t, shelf)
	mustPut(t, shelf, s, key)
	mustDiscard(t, shelf, key, reason("r", 0))
	if err := shelf.Erase(t.Context(), key); err != nil {
		t.Fatalf("erase: %v", err)
	}
	if u := usage(t, shelf); u != before {
		t.Errorf("usage %+v, before %+v", u, before)
	}
	wantNone(t, shelf, key)
	wantError(t, "recall what is erased", shelf.Recall(t.Context(), key), store.ErrNotFound)
	wantError(t, "erase what is erased", shelf.Erase(t.Context(), key), store.ErrNotFound)
	wantShard(t, shelf, s, kept)
	mustPut(t, shelf, s, key)
	wantShard(t, shelf, s, key)
}

func testNothingToDiscard(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 1000, 1)
	there := s.Key(Vault("a"), 1)
	mustPut(t, shelf, s, there)
	for name, key := range map[string]store.Key{
		"zero key": {}, "other vault": s.Key(Vault("b"), 1), "other index": s.Key(Vault("a"), 2), "index -1": s.Key(Vault("a"), -1),
	} {
		wantError(t, "discard "+name, shelf.Discard(t.Context(), key, reason("r", 1)), store.ErrNotFound)
		wantError(t, "recall "+name, shelf.Recall(t.Context(), key), store.ErrNotFound)
		wantError(t, "erase "+name, shelf.Erase(t.Context(), key), store.ErrNotFound)
		_, err := shelf.Discarded(t.Context(), key)
		wantError(t, "look for "+name, err, store.ErrNotFound)
	}
	// What is on the shelf is not in the trash.
	wantError(t, "recall from the shelf", shelf.Recall(t.Context(), there), store.ErrNotFound)
	wantError(t, "erase from the shelf", shelf.Erase(t.Context(), there), store.ErrNotFound)
	for _, why := range []store.Reason{{}, {Release: ident.SumRaw(nil)}, reason("r", -1)} {
		if err := shelf.Discard(t.Context(), there, why); err == nil {
			t.Errorf("discarded for reason %+v", why)
		}
	}
	wantShard(t, shelf, s, there)
	mustDiscard(t, shelf, there, reason("r", 1))
	wantError(t, "discard from the trash", shelf.Discard(t.Context(), there, reason("r", 1)), store.ErrNotFound)
}

func testDiscards(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	want := make(map[store.Key]store.Reason)
	for i := range 7 {
		s := NewSegment(t, code24, 2000+i, uint64(i))
		for _, v := range []string{"a", "b"} {
			key, why := s.Key(Vault(v), i%4), reason(fmt.Sprint(i%3), int64(i))
			mustPut(t, shelf, s, key)
			mustDiscard(t, shelf, key, why)
			want[key] = why
		}
	}
	all := trash(t, shelf, ident.CID{})
	if len(all) != len(want) {
		t.Errorf("%d listed, %d discarded", len(all), len(want))
	}
	for key, d := range all {
		if d.Reason != want[key] {
			t.Errorf("%v: %+v; want %+v", key, d, want[key])
		}
	}
	if n := len(trash(t, shelf, Vault("b"))); n != 7 {
		t.Errorf("%d of one vault", n)
	}
	if n := len(trash(t, shelf, Vault("c"))); n != 0 {
		t.Errorf("%d of a vault that has none", n)
	}
	for range shelf.Discards(t.Context(), Vault("a")) {
		break
	}
	// The list may be changed under at any time.
	for d := range shelf.Discards(t.Context(), Vault("a")) {
		if err := shelf.Erase(t.Context(), d.Key); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(trash(t, shelf, ident.CID{})); n != 7 {
		t.Errorf("%d left", n)
	}
}

func testPutDiscarded(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 50_000, 1)
	key := s.Key(Vault("a"), 1)
	mustPut(t, shelf, s, key)
	before := usage(t, shelf)
	mustDiscard(t, shelf, key, reason("r", 1))
	// A put that fails changes nothing.
	err := shelf.Put(t.Context(), key, s.Descriptor, bytes.NewReader(s.Rows[2]))
	wantError(t, "put of other bytes", err, store.ErrMismatch)
	wantNone(t, shelf, key)
	if d := trash(t, shelf, ident.CID{}); len(d) != 1 {
		t.Errorf("trash %+v", d)
	}
	mustPut(t, shelf, s, key)
	wantShard(t, shelf, s, key)
	if d := trash(t, shelf, ident.CID{}); len(d) != 0 {
		t.Errorf("trash %+v", d)
	}
	if u := usage(t, shelf); u != before {
		t.Errorf("usage %+v, before %+v", u, before)
	}
	wantError(t, "erase what was put again", shelf.Erase(t.Context(), key), store.ErrNotFound)
	wantShard(t, shelf, s, key)
}

func testTrashIsFull(t *testing.T, factory FullFactory) {
	s := NewSegment(t, code24, 100_000, 1)
	each := cost(t, func(t testing.TB, c int64) store.Shelf { return factory(t, c) }, s)
	v := Vault("a")
	shelf := factory(t, 2*each)
	mustPut(t, shelf, s, s.Key(v, 0))
	mustPut(t, shelf, s, s.Key(v, 1))
	mustDiscard(t, shelf, s.Key(v, 0), reason("r", 1))
	wantError(t, "put", s.Put(t.Context(), shelf, v, 2), store.ErrFull)
	if err := shelf.Erase(t.Context(), s.Key(v, 0)); err != nil {
		t.Fatal(err)
	}
	mustPut(t, shelf, s, s.Key(v, 2))
}

func testReadDiscarded(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 100_000, 1)
	key := s.Key(Vault("a"), 1)
	mustPut(t, shelf, s, key)
	sh, err := shelf.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	mustDiscard(t, shelf, key, reason("r", 1))
	var b bytes.Buffer
	if _, err := sh.WriteTo(&b); err != nil || !bytes.Equal(b.Bytes(), s.Rows[1]) {
		t.Errorf("read: %d bytes, %v", b.Len(), err)
	}
}

func testTrashCancelled(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 1000, 1)
	key, gone := s.Key(Vault("a"), 1), s.Key(Vault("a"), 2)
	mustPut(t, shelf, s, key)
	mustPut(t, shelf, s, gone)
	mustDiscard(t, shelf, gone, reason("r", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, "discard", shelf.Discard(ctx, key, reason("r", 1)), context.Canceled)
	wantError(t, "recall", shelf.Recall(ctx, gone), context.Canceled)
	wantError(t, "erase", shelf.Erase(ctx, gone), context.Canceled)
	_, err := shelf.Discarded(ctx, gone)
	wantError(t, "look", err, context.Canceled)
	for _, err := range shelf.Discards(ctx, ident.CID{}) {
		wantError(t, "list trash", err, context.Canceled)
	}
	wantShard(t, shelf, s, key)
	if d := trash(t, shelf, ident.CID{}); len(d) != 1 {
		t.Errorf("trash %+v", d)
	}
}

// Everything at once on a few keys: the books balance at the end, and no shard is in
// two places.
func testTrashConcurrent(t *testing.T, factory FullFactory) {
	shelf := factory(t, roomy)
	v := Vault("a")
	var segments []Segment
	for i := range 3 {
		segments = append(segments, NewSegment(t, code24, 50_000, uint64(i)))
	}
	var all sync.WaitGroup
	for w := range 6 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 0))
			for range 25 {
				s := segments[random.IntN(len(segments))]
				if err := anyTrashOperation(t.Context(), shelf, s, s.Key(v, random.IntN(2)), random.IntN(5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	shelved, discarded := list(t, shelf, store.Key{}), trash(t, shelf, ident.CID{})
	for key := range discarded {
		if _, both := shelved[key]; both {
			t.Errorf("%v is on the shelf and in the trash", key)
		}
		if err := shelf.Recall(t.Context(), key); err != nil {
			t.Errorf("recall: %v", err)
		}
	}
	for key := range list(t, shelf, store.Key{}) {
		for _, s := range segments {
			if s.CID == key.Segment {
				wantShard(t, shelf, s, key)
			}
		}
		if err := shelf.Remove(t.Context(), key); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	wantEmpty(t, shelf)
}

func anyTrashOperation(ctx context.Context, shelf Full, s Segment, key store.Key, which int) (err error) {
	switch which {
	case 0, 1:
		if err := s.Put(ctx, shelf, key.Vault, key.Index); err != nil {
			return fmt.Errorf("put %v: %w", key, err)
		}
		return nil
	case 2:
		err = shelf.Discard(ctx, key, reason("r", 1))
	case 3:
		err = shelf.Recall(ctx, key)
	case 4:
		err = shelf.Erase(ctx, key)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("operation %d on %v: %w", which, key, err)
	}
	return nil
}

// Law: a shelf with its trash is two maps that share a capacity, and no key is in
// both.
func testTrashModel(t *testing.T, factory FullFactory) {
	var segments []Segment
	for i := range 3 {
		segments = append(segments, NewSegment(t, code24, 30_000, uint64(i)))
	}
	each := cost(t, func(t testing.TB, c int64) store.Shelf { return factory(t, c) }, segments[0])
	const room = 4
	shelf := factory(t, room*each)
	rapid.Check(t, func(r *rapid.T) {
		emptyAll(t, shelf)
		shelved, discarded := map[store.Key]bool{}, map[store.Key]int64{}
		for step := range rapid.IntRange(1, 20).Draw(r, "operations") {
			s := segments[rapid.IntRange(0, len(segments)-1).Draw(r, "segment")]
			key := s.Key(Vault("a"), rapid.IntRange(0, 1).Draw(r, "index"))
			_, binned := discarded[key]
			var err error
			var want error
			switch rapid.SampledFrom([]string{"put", "put", "discard", "recall", "erase"}).Draw(r, "operation") {
			case "put":
				if !shelved[key] && len(shelved)+len(discarded) == room {
					want = store.ErrFull
				}
				if err = s.Put(background(), shelf, key.Vault, key.Index); err == nil {
					shelved[key] = true
					delete(discarded, key)
				}
			case "discard":
				if !shelved[key] {
					want = store.ErrNotFound
				}
				if err = shelf.Discard(background(), key, reason("r", int64(step))); err == nil {
					delete(shelved, key)
					discarded[key] = int64(step)
				}
			case "recall":
				if !binned {
					want = store.ErrNotFound
				}
				if err = shelf.Recall(background(), key); err == nil {
					shelved[key] = true
					delete(discarded, key)
				}
			case "erase":
				if !binned {
					want = store.ErrNotFound
				}
				if err = shelf.Erase(background(), key); err == nil {
					delete(discarded, key)
				}
			}
			if !errors.Is(err, want) {
				r.Fatalf("step %d: %v; want %v", step, err, want)
			}
			wantModel(r, t, shelf, each, shelved, discarded)
		}
	})
}

func emptyAll(t testing.TB, shelf Full) {
	for key := range trash(t, shelf, ident.CID{}) {
		if err := shelf.Erase(background(), key); err != nil {
			t.Fatalf("erase: %v", err)
		}
	}
	for key := range list(t, shelf, store.Key{}) {
		if err := shelf.Remove(background(), key); err != nil {
			t.Fatalf("remove: %v", err)
		}
	}
}

func wantModel(r *rapid.T, t testing.TB, shelf Full, each int64, shelved map[store.Key]bool, discarded map[store.Key]int64) {
	u, n := usage(t, shelf), int64(len(discarded))
	if u.Shards != int64(len(shelved)) || u.Trashed != each*n || u.Used != each*(u.Shards+n) {
		r.Fatalf("usage %+v with %d on the shelf and %d in the trash", u, len(shelved), n)
	}
	found, binned := list(t, shelf, store.Key{}), trash(t, shelf, ident.CID{})
	if len(found) != len(shelved) || len(binned) != len(discarded) {
		r.Fatalf("%d listed and %d in the trash; want %d and %d", len(found), len(binned), len(shelved), len(discarded))
	}
	for key, d := range binned {
		if ms, ok := discarded[key]; !ok || d.Time != ms {
			r.Fatalf("%v in the trash since %d; want %d, %v", key, d.Time, ms, ok)
		}
	}
}
