package storetest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/store"
)

// Segment is a coded segment of random bytes, to test with.
type Segment struct {
	CID        ident.CID
	Descriptor []byte
	Parsed     erasure.Descriptor
	Rows       [][]byte
}

// NewSegment codes size random bytes. Equal arguments give equal segments.
func NewSegment(t testing.TB, code erasure.Code, size int, seed uint64) Segment {
	t.Helper()
	s, err := MakeSegment(code, size, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// MakeSegment is NewSegment for those who are no test, like a child process.
func MakeSegment(code erasure.Code, size int, seed uint64) (Segment, error) {
	c, err := erasure.NewCoder(code)
	if err != nil {
		return Segment{}, err
	}
	sealed := make([]byte, size)
	random := rand.NewPCG(seed, uint64(size))
	for i := range sealed {
		sealed[i] = byte(random.Uint64() >> 56)
	}
	sealed = code.Pad(sealed)
	parity := make([][]byte, code.N-code.K)
	for i := range parity {
		parity[i] = make([]byte, len(sealed)/code.K)
	}
	rows, err := c.Encode(sealed, parity)
	if err != nil {
		return Segment{}, err
	}
	d, err := c.Describe(rows, int64(size))
	if err != nil {
		return Segment{}, err
	}
	return Segment{d.CID(), d.Encode(), d, rows}, nil
}

// Vault makes a vault's ID out of a name.
func Vault(name string) ident.CID { return ident.SumDagCBOR([]byte(name)) }

// Key names shard i of the segment in a vault.
func (s Segment) Key(vault ident.CID, i int) store.Key {
	return store.Key{Vault: vault, Segment: s.CID, Index: i}
}

// Put puts shard i of the segment on a shelf.
func (s Segment) Put(ctx context.Context, shelf store.Shelf, vault ident.CID, i int) error {
	return shelf.Put(ctx, s.Key(vault, i), s.Descriptor, bytes.NewReader(s.Rows[i]))
}

// ReadAll returns the whole payload of a shard.
func ReadAll(ctx context.Context, shelf store.Shelf, key store.Key) ([]byte, error) {
	sh, err := shelf.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer sh.Close()
	var b bytes.Buffer
	if _, err := sh.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ReadSlice returns n bytes at off of a shard of the segment, by way of a Bao slice
// that is verified against the descriptor.
func (s Segment) ReadSlice(ctx context.Context, shelf store.Shelf, key store.Key, off, n int64) ([]byte, error) {
	sh, err := shelf.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer sh.Close()
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(sh.Slice(w, off, n)) }()
	var b bytes.Buffer
	err = s.Slice(key.Index, off, n).Verify(&b, r)
	return b.Bytes(), err
}

// Slice describes a range of shard i.
func (s Segment) Slice(i int, off, n int64) store.Slice {
	return store.Slice{Shard: s.Parsed.Shards[i], Size: s.Parsed.RowSize(), Off: off, N: n}
}
