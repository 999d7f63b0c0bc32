package custody

import (
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Segment says who holds the shards of a segment.
type Segment struct {
	CID     ident.CID
	Code    erasure.Code
	RowSize int64 // length of each shard, in bytes
	Held    []int // N of them: the holder of shard i, by number, or Nowhere
}

// Shard names one shard.
type Shard struct {
	Segment ident.CID
	Index   int
}

// Bytes is the size of the segment itself, with what fills its last row up.
func (s Segment) Bytes() int64 { return int64(s.Code.K) * s.RowSize }

// validate panics for what no descriptor can describe.
func (s *Segment) validate() {
	if s.CID.Codec() != ident.DagCBOR || !s.Code.Valid() || len(s.Held) != s.Code.N || s.RowSize < 1 || s.RowSize > erasure.MaxSegment {
		panic(fmt.Sprintf("add segment %v to the map of holders: code %v, %d holders, rows of %d bytes", s.CID, s.Code, len(s.Held), s.RowSize))
	}
}

// row is the segment as it is stored, whose holders are nowhere yet.
func (s *Segment) row() row {
	return row{hash: s.CID.Hash(), size: uint32(s.RowSize), k: uint8(s.Code.K), n: uint8(s.Code.N)}
}

// row is a segment as it is stored, but for its holders: they are N numbers in the
// leaf's held, from at on.
type row struct {
	hash [ident.HashSize]byte // of the segment's CID
	size uint32               // of a shard
	k, n uint8
	at   uint16
}

// maxRows keeps at within its two bytes: a leaf has no more than so many rows of at most
// erasure.MaxShards shards.
const maxRows = 1 << 16 / (erasure.MaxShards + 1)

func (r *row) cid() ident.CID { return ident.NewCID(ident.DagCBOR, r.hash) }

func (r *row) bytes() int64 { return int64(r.k) * int64(r.size) }
