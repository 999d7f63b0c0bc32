package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/store"

	"pgregory.net/rapid"
)

func isFull(err error) bool { return errors.Is(err, store.ErrFull) }

func testSameKey(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 300_000, 1)
	key := s.Key(Vault("a"), 1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.Put(t.Context(), shelf, key.Vault, key.Index); err != nil {
				t.Errorf("put: %v", err)
			}
		})
	}
	all.Wait()
	wantShard(t, shelf, s, key)
	if u := usage(t, shelf); u.Shards != 1 {
		t.Errorf("usage %+v", u)
	}
	if err := shelf.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, shelf)
}

func testManyKeys(t *testing.T, factory Factory) {
	const room, tries = 5, 16
	var segments []Segment
	for i := range tries {
		segments = append(segments, NewSegment(t, code24, 100_000, uint64(i)))
	}
	each := cost(t, factory, segments[0])
	roomyShelf, tight := factory(t, roomy), factory(t, room*each)
	for _, shelf := range []store.Shelf{roomyShelf, tight} {
		accepted, err := fillAtOnce(t.Context(), shelf, segments)
		if err != nil {
			t.Error(err)
		}
		u := usage(t, shelf)
		if u.Used > u.Capacity || u.Shards != int64(len(accepted)) || u.Used != each*u.Shards {
			t.Errorf("usage %+v with %d accepted", u, len(accepted))
		}
		if shelf == roomyShelf && len(accepted) != tries || shelf == tight && (len(accepted) == 0 || len(accepted) > room) {
			t.Errorf("%d accepted", len(accepted))
		}
		for _, i := range accepted {
			wantShard(t, shelf, segments[i], segments[i].Key(Vault("a"), i%4))
		}
	}
}

// Everything at once on a few keys: each answer is one of those that make sense,
// no read gives wrong bytes, and the books balance at the end.
func testConcurrent(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	v := Vault("a")
	var segments []Segment
	for i := range 3 {
		segments = append(segments, NewSegment(t, code24, 150_000, uint64(i)))
	}
	var all sync.WaitGroup
	for w := range 6 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 0))
			for range 25 {
				s := segments[random.IntN(len(segments))]
				if err := anyOperation(t, shelf, s, s.Key(v, random.IntN(2)), random.IntN(5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	found := list(t, shelf, store.Key{})
	if u := usage(t, shelf); u.Shards != int64(len(found)) {
		t.Errorf("usage %+v, %d listed", u, len(found))
	}
	for key := range found {
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

func anyOperation(t *testing.T, shelf store.Shelf, s Segment, key store.Key, which int) error {
	var err error
	switch which {
	case 0, 1:
		err = s.Put(t.Context(), shelf, key.Vault, key.Index)
		if err == nil {
			return nil
		}
	case 2:
		err = shelf.Remove(t.Context(), key)
	case 3:
		_, err = shelf.Stat(t.Context(), key)
	case 4:
		var p []byte
		p, err = ReadAll(t.Context(), shelf, key)
		if err == nil && !bytes.Equal(p, s.Rows[key.Index]) {
			return fmt.Errorf("read %v: wrong bytes", key)
		}
	}
	if err != nil && (which < 2 || !errors.Is(err, store.ErrNotFound)) {
		return fmt.Errorf("operation %d on %v: %w", which, key, err)
	}
	return nil
}

// Law: a shelf is a map with a capacity.
func testModel(t *testing.T, factory Factory) {
	var segments []Segment
	for i := range 4 {
		segments = append(segments, NewSegment(t, code24, 30_000, uint64(i)))
	}
	each := cost(t, factory, segments[0])
	const room = 5
	shelf := factory(t, room*each)
	rapid.Check(t, func(r *rapid.T) {
		for key := range list(t, shelf, store.Key{}) {
			if err := shelf.Remove(background(), key); err != nil {
				r.Fatalf("remove: %v", err)
			}
		}
		model := make(map[store.Key]bool)
		draw := func() (Segment, store.Key) {
			s := segments[rapid.IntRange(0, len(segments)-1).Draw(r, "segment")]
			return s, s.Key(Vault(rapid.SampledFrom([]string{"a", "b"}).Draw(r, "vault")), rapid.IntRange(0, 1).Draw(r, "index"))
		}
		for range rapid.IntRange(1, 20).Draw(r, "operations") {
			s, key := draw()
			switch rapid.SampledFrom([]string{"put", "put", "remove", "read", "count"}).Draw(r, "operation") {
			case "put":
				err := s.Put(background(), shelf, key.Vault, key.Index)
				if full := !model[key] && len(model) == room; full != isFull(err) || !full && err != nil {
					r.Fatalf("put with %d of %d there: %v", len(model), room, err)
				}
				model[key] = model[key] || err == nil
			case "remove":
				if err := shelf.Remove(background(), key); model[key] != (err == nil) {
					r.Fatalf("remove of %v: %v", model[key], err)
				}
				delete(model, key)
			case "read":
				p, err := ReadAll(background(), shelf, key)
				if model[key] != (err == nil) || err == nil && !bytes.Equal(p, s.Rows[key.Index]) {
					r.Fatalf("read of %v: %v", model[key], err)
				}
			case "count":
				u, err := shelf.Usage(background())
				if err != nil || u.Used != each*int64(len(model)) || u.Shards != int64(len(model)) {
					r.Fatalf("usage %+v with %d shards: %v", u, len(model), err)
				}
			}
			if !model[key] {
				delete(model, key)
			}
		}
		if found := list(t, shelf, store.Key{}); len(found) != len(model) {
			r.Fatalf("%d listed, %d there", len(found), len(model))
		}
	})
}
