package storetest

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/iotest"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/store"
)

func testNotFound(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 1000, 1)
	there := s.Key(Vault("a"), 1)
	mustPut(t, shelf, s, there)
	for name, key := range map[string]store.Key{
		"zero key":      {},
		"other vault":   s.Key(Vault("b"), 1),
		"other index":   s.Key(Vault("a"), 2),
		"other segment": NewSegment(t, code24, 1000, 2).Key(Vault("a"), 1),
		"index -1":      s.Key(Vault("a"), -1),
		"index 4":       s.Key(Vault("a"), 4),
		"index 256":     s.Key(Vault("a"), 256),
		"raw vault":     s.Key(ident.SumRaw([]byte("a")), 1),
		"raw segment":   {Vault: there.Vault, Segment: ident.NewCID(ident.Raw, there.Segment.Hash()), Index: 1},
	} {
		t.Run(name, func(t *testing.T) {
			wantNone(t, shelf, key)
			wantError(t, "remove", shelf.Remove(t.Context(), key), store.ErrNotFound)
		})
	}
	wantShard(t, shelf, s, there)
}

func testMismatch(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	v := Vault("a")
	s, other := NewSegment(t, code24, 50_000, 1), NewSegment(t, code24, 50_000, 2)
	key := s.Key(v, 1)
	flipped := bytes.Clone(s.Rows[1])
	flipped[len(flipped)-1] ^= 1
	tooLong := make([]byte, erasure.MaxDescriptor+1)
	for name, c := range map[string]struct {
		key        store.Key
		descriptor []byte
		payload    []byte
	}{
		"bytes of another row":       {key, s.Descriptor, s.Rows[2]},
		"bytes of another segment":   {key, s.Descriptor, other.Rows[1]},
		"one bit":                    {key, s.Descriptor, flipped},
		"another descriptor":         {key, other.Descriptor, s.Rows[1]},
		"no descriptor":              {key, nil, s.Rows[1]},
		"index = n":                  {s.Key(v, 4), s.Descriptor, s.Rows[1]},
		"index < 0":                  {s.Key(v, -1), s.Descriptor, s.Rows[1]},
		"zero key":                   {store.Key{}, s.Descriptor, s.Rows[1]},
		"no vault":                   {s.Key(ident.CID{}, 1), s.Descriptor, s.Rows[1]},
		"raw vault":                  {s.Key(ident.SumRaw(nil), 1), s.Descriptor, s.Rows[1]},
		"what is no descriptor":      {store.Key{Vault: v, Segment: ident.SumDagCBOR([]byte("x")), Index: 1}, []byte("x"), s.Rows[1]},
		"descriptor beyond limit":    {store.Key{Vault: v, Segment: ident.SumDagCBOR(tooLong), Index: 1}, tooLong, s.Rows[1]},
		"segment named as raw bytes": {store.Key{Vault: v, Segment: ident.SumRaw(s.Descriptor), Index: 1}, s.Descriptor, s.Rows[1]},
	} {
		t.Run(name, func(t *testing.T) {
			err := shelf.Put(t.Context(), c.key, c.descriptor, bytes.NewReader(c.payload))
			wantError(t, "put", err, store.ErrMismatch)
			wantNone(t, shelf, c.key)
			wantEmpty(t, shelf)
		})
	}
	mustPut(t, shelf, s, key)
	wantShard(t, shelf, s, key)
}

func testStreamLength(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 200_000, 1)
	key := s.Key(Vault("a"), 2)
	row := s.Rows[2]
	for _, n := range []int{0, 1, store.GroupSize, len(row) - 1} {
		err := shelf.Put(t.Context(), key, s.Descriptor, bytes.NewReader(row[:n]))
		wantError(t, "put of a short stream", err, store.ErrMismatch)
		wantError(t, "put of a short stream", err, io.ErrUnexpectedEOF)
		wantNone(t, shelf, key)
		wantEmpty(t, shelf)
	}
	// The row and not a byte more is read: what follows it is somebody else's. That
	// holds for the first put and for one of a shard that is there.
	for range 2 {
		rest := []byte("the next message")
		r := bytes.NewReader(append(bytes.Clone(row), rest...))
		if err := shelf.Put(t.Context(), key, s.Descriptor, r); err != nil {
			t.Fatal(err)
		}
		if left, _ := io.ReadAll(r); !bytes.Equal(left, rest) {
			t.Errorf("left in the stream: %q", left)
		}
		wantShard(t, shelf, s, key)
	}
}

func testReaders(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	v := Vault("a")
	s := NewSegment(t, code24, 100_000, 1)
	for i, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		key := s.Key(v, i)
		if err := shelf.Put(t.Context(), key, s.Descriptor, wrap(bytes.NewReader(s.Rows[i]))); err != nil {
			t.Fatal(err)
		}
		wantShard(t, shelf, s, key)
		if err := shelf.Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	key := s.Key(v, 0)
	for _, n := range []int{0, 1, store.GroupSize, len(s.Rows[0]) - 1} {
		r := io.MultiReader(bytes.NewReader(s.Rows[0][:n]), iotest.ErrReader(errTest))
		wantError(t, "put from a failing reader", shelf.Put(t.Context(), key, s.Descriptor, r), errTest)
		wantNone(t, shelf, key)
		wantEmpty(t, shelf)
	}
}

// cancelReader cancels the put that reads from it after n bytes.
type cancelReader struct {
	r      io.Reader
	left   int
	cancel context.CancelFunc
}

func (c *cancelReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(len(p), 1000)])
	if c.left -= n; c.left <= 0 {
		c.cancel()
	}
	return n, err
}

func testCancelled(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 2<<20, 1)
	key, there := s.Key(Vault("a"), 0), s.Key(Vault("a"), 1)
	mustPut(t, shelf, s, there)
	before := usage(t, shelf)
	for _, n := range []int{1, len(s.Rows[0]) / 2, len(s.Rows[0])} {
		ctx, cancel := context.WithCancel(t.Context())
		err := shelf.Put(ctx, key, s.Descriptor, &cancelReader{bytes.NewReader(s.Rows[0]), n, cancel})
		wantError(t, "cancelled put", err, context.Canceled)
		wantNone(t, shelf, key)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, "put", s.Put(ctx, shelf, key.Vault, 0), context.Canceled)
	_, err := shelf.Open(ctx, there)
	wantError(t, "open", err, context.Canceled)
	_, err = shelf.Stat(ctx, there)
	wantError(t, "stat", err, context.Canceled)
	_, err = shelf.Usage(ctx)
	wantError(t, "usage", err, context.Canceled)
	wantError(t, "remove", shelf.Remove(ctx, there), context.Canceled)
	for _, e := range shelf.List(ctx, there.Vault) {
		err = e
	}
	wantError(t, "list", err, context.Canceled)
	wantShard(t, shelf, s, there)
	if u := usage(t, shelf); u != before {
		t.Errorf("usage %+v, before %+v", u, before)
	}
}

func testPutAgain(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 100_000, 1)
	key := s.Key(Vault("a"), 1)
	mustPut(t, shelf, s, key)
	before := usage(t, shelf)
	mustPut(t, shelf, s, key)
	wantShard(t, shelf, s, key)
	for name, payload := range map[string][]byte{
		"another row": s.Rows[2],
		"short":       s.Rows[1][:100],
	} {
		err := shelf.Put(t.Context(), key, s.Descriptor, bytes.NewReader(payload))
		wantError(t, "put again, "+name, err, store.ErrMismatch)
		wantShard(t, shelf, s, key)
	}
	r := io.MultiReader(bytes.NewReader(s.Rows[1][:100]), iotest.ErrReader(errTest))
	wantError(t, "put again from a failing reader", shelf.Put(t.Context(), key, s.Descriptor, r), errTest)
	wantShard(t, shelf, s, key)
	if u := usage(t, shelf); u != before {
		t.Errorf("usage %+v, before %+v", u, before)
	}
}

func testRemove(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code24, 100_000, 1)
	key := s.Key(Vault("a"), 1)
	for range 3 {
		mustPut(t, shelf, s, key)
		if err := shelf.Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		wantNone(t, shelf, key)
		wantError(t, "remove again", shelf.Remove(t.Context(), key), store.ErrNotFound)
		wantEmpty(t, shelf)
	}
}

// With k = 1 all rows are equal, and two vaults may hold equal segments: removing
// one shard takes no other with it.
func testKeysShareNothing(t *testing.T, factory Factory) {
	shelf := factory(t, roomy)
	s := NewSegment(t, code12, 100_000, 1)
	keys := []store.Key{s.Key(Vault("a"), 0), s.Key(Vault("a"), 1), s.Key(Vault("b"), 0), s.Key(Vault("b"), 1)}
	for _, key := range keys {
		mustPut(t, shelf, s, key)
	}
	if u := usage(t, shelf); u.Shards != 4 || u.Used < 4*100_000 {
		t.Errorf("usage %+v", u)
	}
	for i, key := range keys {
		if err := shelf.Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		wantNone(t, shelf, key)
		for _, other := range keys[i+1:] {
			wantShard(t, shelf, s, other)
		}
	}
	wantEmpty(t, shelf)
}
