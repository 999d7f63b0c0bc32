package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"holdfast/erasure"
	"holdfast/store"
)

// Factory makes an empty shelf for so many bytes. It cleans up by t.Cleanup.
type Factory func(t testing.TB, capacity int64) store.Shelf

// roomy is a capacity that no test of the suite fills.
const roomy = 1 << 30

// Test is the conformance suite: it fails t for every promise of store.Shelf that
// the factory's shelves break.
func Test(t *testing.T, factory Factory) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Factory)
	}{
		{"what was put comes back", testPutGet},
		{"slices", testSlices},
		{"slices of wrong ranges", testWrongRanges},
		{"not found", testNotFound},
		{"mismatch", testMismatch},
		{"short and long streams", testStreamLength},
		{"awkward and failing readers", testReaders},
		{"failing writers", testWriters},
		{"cancelled contexts", testCancelled},
		{"put again", testPutAgain},
		{"remove", testRemove},
		{"keys share nothing", testKeysShareNothing},
		{"list", testList},
		{"usage", testUsage},
		{"full", testFull},
		{"puts under way are counted", testReservation},
		{"concurrent puts of one key", testSameKey},
		{"concurrent puts of many keys", testManyKeys},
		{"concurrent everything", testConcurrent},
		{"random operations", testModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, factory) })
	}
}

var (
	code24 = erasure.Code{K: 2, N: 4}
	code12 = erasure.Code{K: 1, N: 2}
)

func mustPut(t testing.TB, shelf store.Shelf, s Segment, key store.Key) {
	t.Helper()
	if err := s.Put(t.Context(), shelf, key.Vault, key.Index); err != nil {
		t.Fatalf("put: %v", err)
	}
}

// wantShard checks that a shard is there, in every way that it can be looked at.
func wantShard(t testing.TB, shelf store.Shelf, s Segment, key store.Key) {
	t.Helper()
	got, err := ReadAll(t.Context(), shelf, key)
	if err != nil || !bytes.Equal(got, s.Rows[key.Index]) {
		t.Errorf("read %v: %d bytes, %v", key, len(got), err)
	}
	info, err := shelf.Stat(t.Context(), key)
	if err != nil {
		t.Errorf("stat %v: %v", key, err)
	}
	wantInfo(t, info, s, key)
}

func wantInfo(t testing.TB, info store.Info, s Segment, key store.Key) {
	t.Helper()
	if info.Key != key || info.Size != s.Parsed.RowSize() || !bytes.Equal(info.Descriptor, s.Descriptor) {
		t.Errorf("info of %v: %+v", key, info)
	}
}

func wantError(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v; want %v", what, got, want)
	}
}

// wantNone checks that there is no shard, and that nothing is counted.
func wantNone(t testing.TB, shelf store.Shelf, key store.Key) {
	t.Helper()
	_, err := shelf.Stat(t.Context(), key)
	wantError(t, "stat", err, store.ErrNotFound)
	_, err = shelf.Open(t.Context(), key)
	wantError(t, "open", err, store.ErrNotFound)
}

func usage(t testing.TB, shelf store.Shelf) store.Usage {
	t.Helper()
	u, err := shelf.Usage(t.Context())
	if err != nil {
		t.Fatalf("usage: %v", err)
	}
	return u
}

func wantEmpty(t testing.TB, shelf store.Shelf) {
	t.Helper()
	if u := usage(t, shelf); u.Used != 0 || u.Shards != 0 {
		t.Errorf("usage of an empty shelf: %+v", u)
	}
	if n := len(list(t, shelf, store.Key{})); n != 0 {
		t.Errorf("an empty shelf lists %d shards", n)
	}
}

// list collects the shards of key's vault, or of all for the zero key.
func list(t testing.TB, shelf store.Shelf, key store.Key) map[store.Key]store.Info {
	t.Helper()
	found := make(map[store.Key]store.Info)
	for info, err := range shelf.List(t.Context(), key.Vault) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if _, twice := found[info.Key]; twice {
			t.Errorf("list: %v twice", info.Key)
		}
		found[info.Key] = info
	}
	return found
}

func background() context.Context { return context.Background() }
