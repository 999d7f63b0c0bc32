package storetest_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"holdfast/erasure"
	"holdfast/store"
	"holdfast/store/mem"
	"holdfast/store/storetest"
)

func TestFaultsLetEverythingPass(t *testing.T) {
	storetest.Test(t, func(_ testing.TB, capacity int64) store.Shelf {
		return &storetest.Faults{Shelf: mem.New(capacity)}
	})
}

func TestFaults(t *testing.T) {
	trouble := errors.New("trouble")
	s := storetest.NewSegment(t, erasure.Code{K: 2, N: 4}, 1000, 1)
	v := storetest.Vault("a")
	key := s.Key(v, 1)
	on := false
	fault := func(_ context.Context, k store.Key) error {
		if on && k == key {
			return trouble
		}
		return nil
	}
	shelf := &storetest.Faults{Shelf: mem.New(1 << 20), OnPut: fault, OnOpen: fault, OnStat: fault, OnRemove: fault}
	reading := &storetest.Faults{Shelf: shelf.Shelf, OnRead: fault}
	for i := range 3 {
		if err := s.Put(t.Context(), shelf, v, i); err != nil {
			t.Fatal(err)
		}
	}
	on = true
	_, openErr := shelf.Open(t.Context(), key)
	_, statErr := shelf.Stat(t.Context(), key)
	_, readErr := storetest.ReadAll(t.Context(), reading, key)
	sh, err := reading.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"put": s.Put(t.Context(), shelf, v, 1), "open": openErr, "stat": statErr, "read": readErr,
		"slice": sh.Slice(io.Discard, 0, 1), "remove": shelf.Remove(t.Context(), key),
	} {
		if !errors.Is(err, trouble) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := shelf.Remove(t.Context(), s.Key(v, 2)); err != nil {
		t.Errorf("a fault of one key hit another: %v", err)
	}
}
