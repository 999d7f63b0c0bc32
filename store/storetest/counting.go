package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"holdfast/store"
)

func testList(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	want := make(map[store.Key]Segment)
	for i := range 7 {
		s := NewSegment(t, code24, 2000+i, uint64(i))
		for _, v := range []string{"a", "b"} {
			key := s.Key(Vault(v), i%4)
			mustPut(t, shelf, s, key)
			want[key] = s
		}
	}
	all := list(t, shelf, store.Key{})
	if len(all) != len(want) {
		t.Errorf("%d shards listed, %d put", len(all), len(want))
	}
	for key, info := range all {
		wantInfo(t, info, want[key], key)
	}
	of := list(t, shelf, store.Key{Vault: Vault("b")})
	if len(of) != 7 {
		t.Errorf("%d shards listed of one vault", len(of))
	}
	for key, info := range of {
		if key.Vault != Vault("b") {
			t.Errorf("list of one vault shows %v", key)
		}
		wantInfo(t, info, want[key], key)
	}
	if n := len(list(t, shelf, store.Key{Vault: Vault("c")})); n != 0 {
		t.Errorf("%d shards of a vault that has none", n)
	}
	for range shelf.List(t.Context(), Vault("a")) {
		break
	}
	// A list may be left, and changed under, at any time.
	for info := range shelf.List(t.Context(), Vault("a")) {
		if err := shelf.Remove(t.Context(), info.Key); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(list(t, shelf, store.Key{})); n != 7 {
		t.Errorf("%d shards left", n)
	}
}

func testUsage(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	wantEmpty(t, shelf)
	var payloads int64
	var steps []store.Usage
	var keys []store.Key
	for i := range 5 {
		steps = append(steps, usage(t, shelf))
		s := NewSegment(t, code24, 2*(1000+30_000*i), uint64(i))
		key := s.Key(Vault("a"), i%4)
		mustPut(t, shelf, s, key)
		keys = append(keys, key)
		payloads += s.Parsed.RowSize()
		u := usage(t, shelf)
		if u.Shards != int64(i+1) || u.Used < payloads || u.Capacity != roomy {
			t.Errorf("usage %+v with %d shards of %d bytes", u, i+1, payloads)
		}
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if err := shelf.Remove(t.Context(), keys[i]); err != nil {
			t.Fatal(err)
		}
		if u := usage(t, shelf); u != steps[i] {
			t.Errorf("usage %+v after removing, %+v before putting", u, steps[i])
		}
	}
}

// cost finds out what a shard of the segment counts for on the factory's shelves.
func cost(t *testing.T, factory Factory, s Segment) int64 {
	shelf := factory(t, roomy)
	mustPut(t, shelf, s, s.Key(Vault("a"), 0))
	return usage(t, shelf).Used
}

func testFull(t *testing.T, factory Factory) {
	s := NewSegment(t, code24, 100_000, 1)
	each := cost(t, factory, s)
	v := Vault("a")
	shelf := factory(t, 3*each)
	for i := range 3 {
		mustPut(t, shelf, s, s.Key(v, i))
	}
	before := usage(t, shelf)
	r := bytes.NewReader(s.Rows[3])
	wantError(t, "put on a full shelf", shelf.Put(t.Context(), s.Key(v, 3), s.Descriptor, r), store.ErrFull)
	if r.Len() != len(s.Rows[3]) {
		t.Error("a full shelf has read from the stream")
	}
	wantNone(t, shelf, s.Key(v, 3))
	if u := usage(t, shelf); u != before {
		t.Errorf("usage %+v, before %+v", u, before)
	}
	// What is there can be put again, and read.
	mustPut(t, shelf, s, s.Key(v, 1))
	wantShard(t, shelf, s, s.Key(v, 1))
	if err := shelf.Remove(t.Context(), s.Key(v, 0)); err != nil {
		t.Fatal(err)
	}
	mustPut(t, shelf, s, s.Key(v, 3))
	wantShard(t, shelf, s, s.Key(v, 3))

	none := factory(t, 0)
	wantError(t, "put on a shelf without room", s.Put(t.Context(), none, v, 0), store.ErrFull)
	almost := factory(t, each-1)
	wantError(t, "put on a shelf one byte short", s.Put(t.Context(), almost, v, 0), store.ErrFull)
}

// heldReader tells when it is read, and gives nothing before it is let go.
type heldReader struct {
	r       io.Reader
	reading chan<- struct{}
	free    <-chan struct{}
}

func (h *heldReader) Read(p []byte) (int, error) {
	if h.reading != nil {
		close(h.reading)
		h.reading = nil
	}
	<-h.free
	return h.r.Read(p)
}

// A put that has begun has its space, and a put that fails gives it back.
func testReservation(t *testing.T, factory Factory) {
	s := NewSegment(t, code24, 100_000, 1)
	v := Vault("a")
	shelf := factory(t, cost(t, factory, s))
	for _, good := range []bool{false, true} {
		reading, free, done := make(chan struct{}), make(chan struct{}), make(chan error)
		payload := s.Rows[0]
		if !good {
			payload = s.Rows[1]
		}
		go func() {
			done <- shelf.Put(t.Context(), s.Key(v, 0), s.Descriptor, &heldReader{bytes.NewReader(payload), reading, free})
		}()
		<-reading
		wantError(t, "put beside one that takes the last space", s.Put(t.Context(), shelf, v, 1), store.ErrFull)
		close(free)
		if err := <-done; (err == nil) != good {
			t.Fatalf("put under way: %v", err)
		}
	}
	wantShard(t, shelf, s, s.Key(v, 0))
}

// fillAtOnce puts many shards at once where there is room for a few, and checks
// that the shelf has neither taken too much nor lost what it accepted.
func fillAtOnce(ctx context.Context, shelf store.Shelf, segments []Segment) (accepted []int, err error) {
	type result struct {
		i   int
		err error
	}
	results := make(chan result)
	for i, s := range segments {
		go func() { results <- result{i, s.Put(ctx, shelf, Vault("a"), i%4)} }()
	}
	for range segments {
		r := <-results
		switch {
		case r.err == nil:
			accepted = append(accepted, r.i)
		case !isFull(r.err):
			err = fmt.Errorf("put %d: %w", r.i, r.err)
		}
	}
	return accepted, err
}
