package shardrpc

import (
	"encoding/binary"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Limits of the lists in one request.
const (
	MaxHas     = 4096             // shards; Holder.Has asks as often as it takes
	MaxDevices = 256              // that one Info asks about
	MaxReceipt = ledger.MaxShards // shards under one receipt
)

const refSize = ident.CIDSize + 4

// encodeRefs writes rows of 40 bytes: the segment's CID, and the index u32.
func encodeRefs(refs []Ref) ([]byte, error) {
	p := make([]byte, 0, refSize*len(refs))
	for _, r := range refs {
		if !r.valid() {
			return nil, fmt.Errorf("encode shard %v: %w: no name of a shard", r, ErrBadRequest)
		}
		p = append(p, r.Segment.Bytes()...)
		p = binary.LittleEndian.AppendUint32(p, uint32(r.Index))
	}
	return p, nil
}

// parseRefs accepts exactly what encodeRefs produces.
func parseRefs(p []byte) ([]Ref, error) {
	if len(p)%refSize != 0 {
		return nil, fmt.Errorf("parse shards: %w: %d bytes", ErrBadRequest, len(p))
	}
	refs := make([]Ref, 0, len(p)/refSize)
	for ; len(p) > 0; p = p[refSize:] {
		c, err := ident.CIDFromBytes(p[:ident.CIDSize])
		i := binary.LittleEndian.Uint32(p[ident.CIDSize:])
		if err != nil || i >= erasure.MaxShards {
			return nil, fmt.Errorf("parse shards: %w: no name of a shard", ErrBadRequest)
		}
		r := Ref{Segment: c, Index: int(i)}
		if !r.valid() {
			return nil, fmt.Errorf("parse shards: %w: no name of a shard", ErrBadRequest)
		}
		refs = append(refs, r)
	}
	return refs, nil
}

func (r Ref) valid() bool {
	return r.Segment.Codec() == ident.DagCBOR && r.Index >= 0 && r.Index < erasure.MaxShards
}
