package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/store"

	"github.com/zeebo/blake3"
)

// ErrVersion says that a shard file was written by a later version of the format.
// It is left alone.
var ErrVersion = errors.New("shard file of an unknown version")

// The head of a shard file (docs/format.md, section 7).
const (
	magic         = "hfshrd1\x00"
	headerVersion = 1

	atVersion    = 8
	atLength     = 12
	atVault      = 16
	atIndex      = 52
	atDescriptor = 56

	maxHeader = atDescriptor + erasure.MaxDescriptor + ident.HashSize
)

// header is a checked head: the descriptor belongs to the key.
type header struct {
	key        store.Key
	descriptor []byte
	parsed     erasure.Descriptor
}

// newHeader refuses what does not belong together (store.ErrMismatch).
func newHeader(key store.Key, descriptor []byte) (header, error) {
	d, err := key.Describes(descriptor)
	if err != nil {
		return header{}, err
	}
	return header{key, descriptor, d}, nil
}

// payload is the length of the payload.
func (h header) payload() int64 { return h.parsed.RowSize() }

// root is the CID of the payload.
func (h header) root() ident.CID { return h.parsed.Shards[h.key.Index] }

func (h header) info() store.Info {
	return store.Info{Key: h.key, Size: h.payload(), Descriptor: h.descriptor}
}

// entry is what the index keeps of the shard.
func (h header) entry() entry { return entry{h.payload(), h.descriptor} }

// fileSize is the length of the whole file.
func (h header) fileSize() int64 { return h.entry().fileSize() }

// encode returns the head of the file.
func (h header) encode() []byte {
	p := make([]byte, 0, headerSize(len(h.descriptor)))
	p = append(p, magic...)
	p = binary.LittleEndian.AppendUint32(p, headerVersion)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(h.descriptor)))
	p = append(p, h.key.Vault.Bytes()...)
	p = binary.LittleEndian.AppendUint32(p, uint32(h.key.Index))
	p = append(p, h.descriptor...)
	sum := blake3.Sum256(p)
	return append(p, sum[:]...)
}

func headerSize(descriptor int) int { return atDescriptor + descriptor + ident.HashSize }

// headerLength returns the length of the head that begins with p, which has at
// least atDescriptor bytes. Nothing is checked yet but the limit.
func headerLength(p []byte) (int, error) {
	n := binary.LittleEndian.Uint32(p[atLength:])
	if n > erasure.MaxDescriptor {
		return 0, fmt.Errorf("%w: header announces a descriptor of %d bytes", store.ErrCorrupt, n)
	}
	return headerSize(int(n)), nil
}

// parseHeader reads the head that p begins with. Whatever is wrong with it is
// ErrCorrupt, but a version from the future is ErrVersion.
func parseHeader(p []byte) (header, error) {
	if len(p) < atDescriptor || string(p[:atVersion]) != magic {
		return header{}, fmt.Errorf("%w: header is not one of a shard file", store.ErrCorrupt)
	}
	if binary.LittleEndian.Uint32(p[atVersion:]) != headerVersion {
		return header{}, otherVersion(p)
	}
	n, err := headerLength(p)
	if err != nil {
		return header{}, err
	}
	if len(p) < n {
		return header{}, fmt.Errorf("%w: header is cut short", store.ErrCorrupt)
	}
	if !sumIsRight(p[:n]) {
		return header{}, fmt.Errorf("%w: checksum of the header", store.ErrCorrupt)
	}
	vault, err := ident.CIDFromBytes(p[atVault:atIndex])
	if err != nil {
		return header{}, fmt.Errorf("%w: header: %w", store.ErrCorrupt, err)
	}
	index := binary.LittleEndian.Uint32(p[atIndex:])
	if index >= erasure.MaxShards {
		return header{}, fmt.Errorf("%w: header names index %d", store.ErrCorrupt, index)
	}
	descriptor := bytes.Clone(p[atDescriptor : n-ident.HashSize])
	h, err := newHeader(store.Key{Vault: vault, Segment: ident.SumDagCBOR(descriptor), Index: int(index)}, descriptor)
	if err != nil {
		return header{}, fmt.Errorf("%w: header: %w", store.ErrCorrupt, err)
	}
	return h, nil
}

// sumIsRight checks the checksum at the end of a head.
func sumIsRight(p []byte) bool {
	at := len(p) - ident.HashSize
	return blake3.Sum256(p[:at]) == [ident.HashSize]byte(p[at:])
}

// otherVersion tells a file of a later version, which must be left alone, from one that
// is damaged.
//
// SPEC: magic, version, D and checksum are in every version where they are in this one.
// A head whose checksum is not right is damaged, whatever version it names.
func otherVersion(p []byte) error {
	n, err := headerLength(p)
	if err != nil {
		return err
	}
	if n > len(p) || !sumIsRight(p[:n]) {
		return fmt.Errorf("%w: version and checksum of the header", store.ErrCorrupt)
	}
	return fmt.Errorf("%w: %d", ErrVersion, binary.LittleEndian.Uint32(p[atVersion:]))
}
