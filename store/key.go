package store

import (
	"cmp"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Key names a shard. Two keys never share storage, even if their payloads are
// equal: with k = 1 all rows are, and one vault must not touch another's.
type Key struct {
	Vault   ident.CID // the vault's ID, dag-cbor
	Segment ident.CID // CID of the descriptor, dag-cbor
	Index   int       // row of the code, from 0
}

// Valid reports whether a shard of that name can exist.
func (k Key) Valid() bool {
	return k.Vault.Codec() == ident.DagCBOR && k.Segment.Codec() == ident.DagCBOR &&
		k.Index >= 0 && k.Index < erasure.MaxShards
}

// String is for messages: the segment's name and the index.
func (k Key) String() string { return fmt.Sprintf("%v/%d", k.Segment, k.Index) }

// Compare orders keys by vault, segment, index.
func (k Key) Compare(o Key) int {
	return cmp.Or(k.Vault.Compare(o.Vault), k.Segment.Compare(o.Segment), cmp.Compare(k.Index, o.Index))
}

// Describes returns the parsed descriptor if its bytes are the ones that k names
// and have a row k.Index, and an error that wraps ErrMismatch otherwise. Every shelf
// asks this first.
func (k Key) Describes(descriptor []byte) (erasure.Descriptor, error) {
	if !k.Valid() {
		return erasure.Descriptor{}, fmt.Errorf("%w: no key of a shard", ErrMismatch)
	}
	if len(descriptor) > erasure.MaxDescriptor || ident.SumDagCBOR(descriptor) != k.Segment {
		return erasure.Descriptor{}, fmt.Errorf("%w: descriptor of another segment", ErrMismatch)
	}
	d, err := erasure.ParseDescriptor(descriptor)
	if err != nil {
		return erasure.Descriptor{}, fmt.Errorf("%w: %w", ErrMismatch, err)
	}
	if uint64(k.Index) >= d.N {
		return erasure.Descriptor{}, fmt.Errorf("%w: index %d of n = %d", ErrMismatch, k.Index, d.N)
	}
	return d, nil
}
