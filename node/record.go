package node

import (
	"encoding/binary"
	"errors"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store"
)

// record is what the book holds for one shard.
type record struct {
	Device    ident.PublicKey // who put it; zero if that is not known any more
	Nonce     [16]byte        // of the commit
	Size      int64           // of the payload
	Until     int64           // ms since 1970; not let go before
	Certified bool            // a certified entry names its segment
	Trashed   bool            // it is in the trash
}

// due reports whether the members may be asked if anybody needs the shard.
func (r record) due(now time.Time) bool {
	return !r.Certified && !r.Trashed && r.Until < ledger.Millis(now)
}

var errBook = errors.New("the book of shards is damaged")

const (
	deviceSize   = len(ident.PublicKey{})
	recordSize   = deviceSize + 16 + 8 + 8 + 1
	shardKeySize = 2*ident.CIDSize + 2
)

func encodeShardKey(k store.Key) []byte {
	return binary.BigEndian.AppendUint16(segmentPrefix(k.Vault, k.Segment), uint16(k.Index))
}

// segmentPrefix is what the keys of all shards of a segment begin with.
func segmentPrefix(vault, segment ident.CID) []byte {
	p := make([]byte, 0, shardKeySize)
	return append(append(p, vault.Bytes()...), segment.Bytes()...)
}

func encodeRecord(r record) []byte {
	p := make([]byte, 0, recordSize)
	p = append(p, r.Device[:]...)
	p = append(p, r.Nonce[:]...)
	p = binary.BigEndian.AppendUint64(p, uint64(r.Size))
	p = binary.BigEndian.AppendUint64(p, uint64(r.Until))
	return append(p, r.flags())
}

// The flags of a record.
const (
	flagCertified = 1 << iota
	flagTrashed
)

func (r record) flags() (f byte) {
	if r.Certified {
		f |= flagCertified
	}
	if r.Trashed {
		f |= flagTrashed
	}
	return f
}

func decodeShardKey(k []byte) (store.Key, error) {
	if len(k) != shardKeySize {
		return store.Key{}, errBook
	}
	vault, err := ident.CIDFromBytes(k[:ident.CIDSize])
	segment, err2 := ident.CIDFromBytes(k[ident.CIDSize : 2*ident.CIDSize])
	if err != nil || err2 != nil {
		return store.Key{}, errBook
	}
	return store.Key{Vault: vault, Segment: segment, Index: int(binary.BigEndian.Uint16(k[2*ident.CIDSize:]))}, nil
}

func decodeRecord(v []byte) (record, error) {
	if len(v) != recordSize {
		return record{}, errBook
	}
	rest := v[deviceSize:]
	return record{
		Device:    ident.PublicKey(v[:deviceSize]),
		Nonce:     [16]byte(rest),
		Size:      int64(binary.BigEndian.Uint64(rest[16:])),
		Until:     int64(binary.BigEndian.Uint64(rest[24:])),
		Certified: rest[32]&flagCertified != 0,
		Trashed:   rest[32]&flagTrashed != 0,
	}, nil
}
