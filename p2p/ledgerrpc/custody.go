package ledgerrpc

import (
	"encoding/binary"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// MaxMoves is how many later placements one answer holds at most.
const MaxMoves = 1024

// movesRequest asks for later placements in the order of one store.
type movesRequest struct {
	Op    Verb         `cbor:"op"`
	Vault ident.CID    `cbor:"vault"`
	From  int64        `cbor:"from"`
	Store [8]byte      `cbor:"store,omitzero"`
	Grant ident.Signed `cbor:"grant,omitzero"`
}

// movesAnswer is followed by pairs of a receipt and a certificate.
type movesAnswer struct {
	Status uint64   `cbor:"status"`
	Parts  []uint64 `cbor:"parts,omitempty"`
	Store  [8]byte  `cbor:"store"`
	Next   int64    `cbor:"next"`
}

// placedRequest asks who holds shards.
type placedRequest struct {
	Op    Verb         `cbor:"op"`
	Vault ident.CID    `cbor:"vault"`
	Nonce [16]byte     `cbor:"nonce"`
	Grant ident.Signed `cbor:"grant,omitzero"`
	Parts []uint64     `cbor:"parts"`
}

// Bounds of what is sent. A page of moves is full when it has passed its size.
const (
	shardName = ident.CIDSize + 4
	maxShards = ledger.MaxNames * shardName
)

var movesBounds = rpc.Bounds{Count: 2 * MaxMoves, Each: ledger.MaxReceipt + signedRoom, Total: maxPage + ledger.MaxReceipt + 2*maxSmall}

func parseMoves(p []byte) (movesRequest, error) {
	var m movesRequest
	if err := decode(p, &m); err != nil {
		return m, err
	}
	if m.From < 0 {
		return m, fmt.Errorf("%w: a cursor of %d", ErrBadRequest, m.From)
	}
	return m, nil
}

// encodeShards writes a CID and an index of four bytes, big-endian, for each shard.
func encodeShards(shards []ledger.ShardName) ([]byte, error) {
	p := make([]byte, 0, shardName*len(shards))
	for _, s := range shards {
		if s.Segment.Codec() != ident.DagCBOR || s.Index < 0 || s.Index >= erasure.MaxShards {
			return nil, fmt.Errorf("encode shard %d of %v: %w: no name of a shard", s.Index, s.Segment, ErrBadRequest)
		}
		p = binary.BigEndian.AppendUint32(append(p, s.Segment.Bytes()...), uint32(s.Index))
	}
	return p, nil
}

// parseShards accepts exactly what encodeShards produces, from one shard on.
func parseShards(p []byte) ([]ledger.ShardName, error) {
	if len(p) == 0 || len(p)%shardName != 0 {
		return nil, fmt.Errorf("parse shards: %w: %d bytes", ErrBadRequest, len(p))
	}
	shards := make([]ledger.ShardName, 0, len(p)/shardName)
	for ; len(p) > 0; p = p[shardName:] {
		c, err := ident.CIDFromBytes(p[:ident.CIDSize])
		index := binary.BigEndian.Uint32(p[ident.CIDSize:])
		if err != nil || c.Codec() != ident.DagCBOR || index >= erasure.MaxShards {
			return nil, fmt.Errorf("parse shards: %w: no name of a shard", ErrBadRequest)
		}
		shards = append(shards, ledger.ShardName{Segment: c, Index: int64(index)})
	}
	return shards, nil
}
