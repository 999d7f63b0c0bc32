package index

import (
	"encoding/binary"
	"hash/crc32"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// Every record ends in a CRC-32C over its table's name, its key and its value. A
// record that fails it is treated as absent: a damaged cache may forget, and never
// attributes a chunk to a segment that does not hold it.
const sumSize = 4

func sum(table, key string, value []byte) uint32 {
	t := crc32.MakeTable(crc32.Castagnoli)
	c := crc32.Update(0, t, []byte(table))
	c = crc32.Update(c, t, []byte(key))
	return crc32.Update(c, t, value)
}

func get(t tx, table, key string) ([]byte, bool) {
	p := t.get(table, key)
	if len(p) < sumSize {
		return nil, false
	}
	value, tail := p[:len(p)-sumSize], p[len(p)-sumSize:]
	if binary.LittleEndian.Uint32(tail) != sum(table, key, value) {
		return nil, false
	}
	return value, true
}

// scan calls f for every record of a table that is whole.
func scan(t tx, table string, f func(key string, value []byte) bool) {
	t.each(table, func(key string, p []byte) bool {
		n := len(p) - sumSize
		if n < 0 || binary.LittleEndian.Uint32(p[n:]) != sum(table, key, p[:n]) {
			return true
		}
		return f(key, p[:n])
	})
}

func put(t tx, table, key string, value []byte) error {
	p := make([]byte, 0, len(value)+sumSize)
	p = append(p, value...)
	return t.put(table, key, binary.LittleEndian.AppendUint32(p, sum(table, key, value)))
}

// claim is one segment row of one commit's index part: the frame in which that
// commit's places are to be read.
type claim struct {
	segment ident.CID
	lane    ident.PublicKey
	entry   ident.CID
	header  uint32
	sealed  uint64
}

const claimSize = 2*ident.CIDSize + 32 + 4 + 8

func (c claim) encode() []byte {
	p := make([]byte, 0, claimSize)
	p = append(p, c.segment.Bytes()...)
	p = append(p, c.entry.Bytes()...)
	p = append(p, c.lane[:]...)
	p = binary.LittleEndian.AppendUint32(p, c.header)
	return binary.LittleEndian.AppendUint64(p, c.sealed)
}

func decodeClaim(p []byte) (claim, bool) {
	if len(p) != claimSize {
		return claim{}, false
	}
	segment, err := ident.CIDFromBytes(p[:ident.CIDSize])
	if err != nil {
		return claim{}, false
	}
	p = p[ident.CIDSize:]
	entry, err := ident.CIDFromBytes(p[:ident.CIDSize])
	if err != nil {
		return claim{}, false
	}
	p = p[ident.CIDSize:]
	return claim{
		segment: segment,
		entry:   entry,
		lane:    ident.PublicKey(p[:32]),
		header:  binary.LittleEndian.Uint32(p[32:]),
		sealed:  binary.LittleEndian.Uint64(p[36:]),
	}, true
}

func claimKey(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// spot is one place of a chunk within a claim. A chunk's record is a list of them,
// oldest first.
type spot struct {
	claim                 uint32
	offset, stored, plain uint32
	coding                seal.Coding
	checked               bool
}

const (
	spotSize    = 17
	flagZstd    = 1
	flagChecked = 2
)

func (s spot) appendTo(p []byte) []byte {
	for _, v := range [...]uint32{s.claim, s.offset, s.stored, s.plain} {
		p = binary.LittleEndian.AppendUint32(p, v)
	}
	var flags byte
	if s.coding == seal.Zstd {
		flags |= flagZstd
	}
	if s.checked {
		flags |= flagChecked
	}
	return append(p, flags)
}

func decodeSpots(p []byte) []spot {
	if len(p)%spotSize != 0 {
		return nil
	}
	list := make([]spot, 0, len(p)/spotSize)
	for ; len(p) > 0; p = p[spotSize:] {
		s := spot{
			claim:   binary.LittleEndian.Uint32(p),
			offset:  binary.LittleEndian.Uint32(p[4:]),
			stored:  binary.LittleEndian.Uint32(p[8:]),
			plain:   binary.LittleEndian.Uint32(p[12:]),
			coding:  seal.Plain,
			checked: p[16]&flagChecked != 0,
		}
		if p[16]&flagZstd != 0 {
			s.coding = seal.Zstd
		}
		list = append(list, s)
	}
	return list
}

func encodeSpots(list []spot) []byte {
	p := make([]byte, 0, len(list)*spotSize)
	for _, s := range list {
		p = s.appendTo(p)
	}
	return p
}

func chunkKey(kind seal.Kind, id seal.ChunkID) string {
	var k [1 + len(id)]byte
	k[0] = byte(kind)
	copy(k[1:], id[:])
	return string(k[:])
}
