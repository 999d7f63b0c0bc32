package erasure

import (
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// ErrDescriptor says that bytes are not a descriptor of docs/format.md, section 7.
var ErrDescriptor = errors.New("not a valid segment descriptor")

// Limits on what a descriptor may say and on its encoded length.
const (
	MaxSegment    = 1 << 30
	MaxDescriptor = 16 << 10
)

const descriptorVersion = 1

// Descriptor is the public description of one coded segment. Its CID is the
// segment's name. It holds no key and names no peer.
type Descriptor struct {
	V      uint64      `cbor:"v"`
	K      uint64      `cbor:"k"`
	N      uint64      `cbor:"n"`
	Size   uint64      `cbor:"size"`   // of the sealed segment, in bytes
	Shards []ident.CID `cbor:"shards"` // raw CIDs of the N rows, in their order
}

// ParseDescriptor reads foreign bytes. The result is valid: its code obeys the
// law, its size and the number and kind of its CIDs are within their limits. The
// segment's name is the CID of p; whoever passes the descriptor on passes on p.
func ParseDescriptor(p []byte) (Descriptor, error) {
	if len(p) > MaxDescriptor {
		return Descriptor{}, fmt.Errorf("parse descriptor: %w: %d bytes", ErrDescriptor, len(p))
	}
	var d Descriptor
	if err := wire.Decode(p, &d); err != nil {
		return Descriptor{}, fmt.Errorf("parse descriptor: %w: %w", ErrDescriptor, err)
	}
	if err := d.Check(); err != nil {
		return Descriptor{}, fmt.Errorf("parse descriptor: %w", err)
	}
	return d, nil
}

// Check returns an error that wraps ErrDescriptor if d is not valid.
func (d Descriptor) Check() error {
	if d.V != descriptorVersion {
		return fmt.Errorf("%w: version %d is not known", ErrDescriptor, d.V)
	}
	if d.K > MaxShards || d.N > MaxShards || !d.Code().Valid() {
		return fmt.Errorf("%w: %w: %d/%d", ErrDescriptor, ErrCode, d.K, d.N)
	}
	if d.Size < 1 || d.Size > MaxSegment {
		return fmt.Errorf("%w: size %d", ErrDescriptor, d.Size)
	}
	if uint64(len(d.Shards)) != d.N {
		return fmt.Errorf("%w: %d shards for n = %d", ErrDescriptor, len(d.Shards), d.N)
	}
	for i, c := range d.Shards {
		if c.Codec() != ident.Raw {
			return fmt.Errorf("%w: shard %d has no raw CID", ErrDescriptor, i)
		}
	}
	return nil
}

// Code returns the code that the segment is coded with.
func (d Descriptor) Code() Code { return Code{K: int(d.K), N: int(d.N)} }

// RowSize returns the length of each shard's payload. The last data row is filled
// with zeros.
func (d Descriptor) RowSize() int64 { return d.Code().RowSize(int64(d.Size)) }

// Encode returns the one encoding of a valid d. For a descriptor that was parsed
// from bytes with keys that this version does not know it is another encoding:
// keep the bytes.
func (d Descriptor) Encode() []byte { return wire.MustEncode(d) }

// CID names the segment that a locally made d describes: the CID of Encode.
func (d Descriptor) CID() ident.CID { return ident.SumDagCBOR(d.Encode()) }
