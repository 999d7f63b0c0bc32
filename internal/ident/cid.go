package ident

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multibase"
	"github.com/multiformats/go-multihash"
	"github.com/zeebo/blake3"
)

// Codec tells what a CID's bytes are.
type Codec byte

// The only two codecs that holdfast names things with.
const (
	Raw     Codec = cid.Raw
	DagCBOR Codec = cid.DagCBOR
)

// CIDSize is the length of a CID's binary form.
const CIDSize = 36

// HashSize is the length of a BLAKE3 digest.
const HashSize = 32

const (
	cidVersion    = 1
	cidTextLength = 1 + (CIDSize*8+4)/5
)

// ErrCID says that bytes or text are not a CID of the one kind that is accepted.
var ErrCID = errors.New("not a CIDv1 with codec raw or dag-cbor and a BLAKE3-256 digest")

// CID names immutable bytes. It is comparable; its zero value names nothing.
type CID struct {
	codec Codec
	hash  [HashSize]byte
}

// NewCID makes the CID of bytes whose BLAKE3 digest is known. The codec is Raw or
// DagCBOR.
func NewCID(codec Codec, hash [HashSize]byte) CID { return CID{codec, hash} }

// SumRaw names the bytes of a shard or an object.
func SumRaw(p []byte) CID { return CID{Raw, blake3.Sum256(p)} }

// SumDagCBOR names an encoded structure.
func SumDagCBOR(p []byte) CID { return CID{DagCBOR, blake3.Sum256(p)} }

// ParseCID reads the text form: multibase base32, lower case.
func ParseCID(s string) (CID, error) {
	p, ok := decodeText(multibase.Base32, s, cidTextLength)
	if !ok {
		return CID{}, fmt.Errorf("parse CID: %w", ErrCID)
	}
	return CIDFromBytes(p)
}

// CIDFromBytes reads the binary form, exactly 36 bytes.
func CIDFromBytes(p []byte) (CID, error) {
	if len(p) != CIDSize || p[0] != cidVersion || p[2] != multihash.BLAKE3 || p[3] != HashSize {
		return CID{}, ErrCID
	}
	switch codec := Codec(p[1]); codec {
	case Raw, DagCBOR:
		return CID{codec, [HashSize]byte(p[4:])}, nil
	default:
		return CID{}, ErrCID
	}
}

// Defined reports whether c names anything.
func (c CID) Defined() bool { return c.codec != 0 }

// IsZero lets an encoder leave out an optional link.
func (c CID) IsZero() bool { return !c.Defined() }

// Codec returns what kind of bytes c names.
func (c CID) Codec() Codec { return c.codec }

// Hash returns the BLAKE3 digest of the bytes that c names.
func (c CID) Hash() [HashSize]byte { return c.hash }

// Bytes returns the binary form, 36 bytes.
func (c CID) Bytes() []byte { return c.append(make([]byte, 0, CIDSize)) }

func (c CID) append(p []byte) []byte {
	p = append(p, cidVersion, byte(c.codec), multihash.BLAKE3, HashSize)
	return append(p, c.hash[:]...)
}

// LogValue implements slog.LogValuer: logs show the text form.
func (c CID) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String returns the text form, or a placeholder for the zero value.
func (c CID) String() string {
	if !c.Defined() {
		return "<no CID>"
	}
	return encodeText(multibase.Base32, c.Bytes())
}

// Hex returns the 64 hexadecimal digits of the digest, the name by which people
// call a snapshot.
func (c CID) Hex() string { return hex.EncodeToString(c.hash[:]) }

// Compare orders CIDs by their binary form.
func (c CID) Compare(d CID) int {
	return cmp.Or(cmp.Compare(c.codec, d.codec), bytes.Compare(c.hash[:], d.hash[:]))
}

// linkHead stands before a CID's 36 bytes in DAG-CBOR: tag 42, a byte string of
// 37 bytes, and the identity multibase prefix.
var linkHead = [...]byte{0xd8, 42, 0x58, CIDSize + 1, 0}

// MarshalCBOR encodes c as a DAG-CBOR link. The zero value is an error.
func (c CID) MarshalCBOR() ([]byte, error) {
	if !c.Defined() {
		return nil, errors.New("encode link: no CID")
	}
	return c.append(append(make([]byte, 0, len(linkHead)+CIDSize), linkHead[:]...)), nil
}

// UnmarshalCBOR accepts exactly what MarshalCBOR produces.
func (c *CID) UnmarshalCBOR(p []byte) error {
	rest, ok := bytes.CutPrefix(p, linkHead[:])
	if !ok {
		return ErrCID
	}
	d, err := CIDFromBytes(rest)
	if err != nil {
		return err
	}
	*c = d
	return nil
}
