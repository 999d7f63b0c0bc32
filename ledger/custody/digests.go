package custody

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"holdfast/internal/ident"
)

// An inventory commits a holder to its shards of a vault in buckets, by the first byte of
// the segment's digest, so that two who differ find out where.
const (
	Buckets     = 256
	RowBytes    = ident.HashSize + 2       // of an encoded Row
	DigestsSize = Buckets * ident.HashSize // of encoded Digests
	MaxPage     = 1 << 16                  // rows in one answer
)

// ErrRows says that bytes are no rows of an inventory.
var ErrRows = errors.New("not the rows of an inventory")

// Row is one shard in an inventory: of the segment with this digest, which is the hash in
// its CID.
type Row struct {
	Digest [ident.HashSize]byte
	Index  uint16
}

// Bucket is where the row belongs.
func (r Row) Bucket() int { return int(r.Digest[0]) }

// Shard is what the row names.
func (r Row) Shard() Shard { return Shard{ident.NewCID(ident.DagCBOR, r.Digest), int(r.Index)} }

// Compare orders rows by digest, then by index.
func (r Row) Compare(s Row) int {
	if c := bytes.Compare(r.Digest[:], s.Digest[:]); c != 0 {
		return c
	}
	return int(r.Index) - int(s.Index)
}

// AppendRow encodes a row: digest(32), index u16, big-endian.
func AppendRow(p []byte, r Row) []byte {
	return binary.BigEndian.AppendUint16(append(p, r.Digest[:]...), r.Index)
}

// ParseRows reads the rows of one bucket, in their order, none twice.
func ParseRows(p []byte, bucket int) ([]Row, error) {
	if len(p)%RowBytes != 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrRows, len(p))
	}
	rows := make([]Row, 0, len(p)/RowBytes)
	for ; len(p) > 0; p = p[RowBytes:] {
		r := Row{[ident.HashSize]byte(p), binary.BigEndian.Uint16(p[ident.HashSize:])}
		if r.Bucket() != bucket || len(rows) > 0 && rows[len(rows)-1].Compare(r) >= 0 {
			return nil, fmt.Errorf("%w: row %d is not in its place", ErrRows, len(rows))
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// Digests commits to the shards that one holder has of a vault. It is comparable; its
// zero value is that of a holder with none.
type Digests struct {
	Shards, Bytes int64
	Buckets       [Buckets][ident.HashSize]byte
}

// SumBucket returns the digest of a bucket: BLAKE3 over its encoded rows, sorted; zeros if
// there are none.
func SumBucket(rows []byte) [ident.HashSize]byte {
	if len(rows) == 0 {
		return [ident.HashSize]byte{}
	}
	return ident.SumRaw(rows).Hash()
}

// Encode returns the digests of all buckets, one after another.
func (d *Digests) Encode() []byte {
	p := make([]byte, 0, DigestsSize)
	for i := range d.Buckets {
		p = append(p, d.Buckets[i][:]...)
	}
	return p
}

// Differ returns the buckets that differ from encoded ones, of DigestsSize bytes, in
// order. Those of another length differ in all.
func (d *Digests) Differ(encoded []byte) []int {
	var out []int
	for i := range d.Buckets {
		if len(encoded) != DigestsSize || !bytes.Equal(d.Buckets[i][:], encoded[i*ident.HashSize:(i+1)*ident.HashSize]) {
			out = append(out, i)
		}
	}
	return out
}
