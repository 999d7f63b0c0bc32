package ident

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/multiformats/go-multibase"
)

// SignatureSize is the length of the binary form, multicodec prefix included.
const SignatureSize = 3 + ed25519.SignatureSize

var eddsaSig = []byte{0xed, 0xa1, 0x03} // multicodec 0xd0ed, as unsigned LEB128

// ErrSignature says that a signature does not verify, never why.
var ErrSignature = errors.New("signature does not verify")

// Signature is an Ed25519 signature.
type Signature [ed25519.SignatureSize]byte

// SignatureFromBytes reads the 67-byte binary form.
func SignatureFromBytes(p []byte) (Signature, error) {
	rest, ok := bytes.CutPrefix(p, eddsaSig)
	if !ok || len(p) != SignatureSize {
		return Signature{}, fmt.Errorf("read signature: %w", ErrSignature)
	}
	return Signature(rest), nil
}

// Bytes returns the 67-byte binary form.
func (s Signature) Bytes() []byte { return append(eddsaSig[:3:3], s[:]...) }

// String returns the text form.
func (s Signature) String() string { return encodeText(multibase.Base58BTC, s.Bytes()) }

// MarshalCBOR encodes the binary form as a byte string.
func (s Signature) MarshalCBOR() ([]byte, error) { return appendBytes(s.Bytes()), nil }

// UnmarshalCBOR accepts exactly what MarshalCBOR produces.
func (s *Signature) UnmarshalCBOR(p []byte) error {
	rest, ok := cutBytes(p, SignatureSize)
	if !ok {
		return ErrSignature
	}
	o, err := SignatureFromBytes(rest)
	if err != nil {
		return err
	}
	*s = o
	return nil
}

// oneByteLength is the head of a CBOR byte string of 24 to 255 bytes; the length follows.
const oneByteLength = 0x58

// appendBytes encodes p, of 24 to 255 bytes, as a CBOR byte string.
func appendBytes(p []byte) []byte { return append([]byte{oneByteLength, byte(len(p))}, p...) }

// cutBytes takes the head of a byte string of size bytes from p. Whether so many
// follow is left to the reader of the rest.
func cutBytes(p []byte, size int) ([]byte, bool) {
	return bytes.CutPrefix(p, []byte{oneByteLength, byte(size)})
}
