package ident

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"

	"github.com/multiformats/go-multibase"
	"github.com/zeebo/blake3"
)

// PublicKeySize is the length of the binary form, multicodec prefix included.
const PublicKeySize = 2 + ed25519.PublicKeySize

// keyTextLength is that of 34 bytes whose first is 0xed: 47 digits of base 58.
const keyTextLength = 1 + 47

var ed25519Pub = []byte{0xed, 0x01} // multicodec 0xed, as unsigned LEB128

// ErrKey says that bytes or text are not the public key of anybody.
var ErrKey = errors.New("not an Ed25519 public key with its multicodec")

// PublicKey is an Ed25519 key: an operator, a node, a vote, a device or an owner.
// It is comparable; its zero value is nobody.
type PublicKey [ed25519.PublicKeySize]byte

// PublicKeyFromBytes reads the 34-byte binary form.
func PublicKeyFromBytes(p []byte) (PublicKey, error) {
	rest, ok := bytes.CutPrefix(p, ed25519Pub)
	if !ok || len(p) != PublicKeySize {
		return PublicKey{}, ErrKey
	}
	k := PublicKey(rest)
	if k.weak() {
		return PublicKey{}, ErrKey
	}
	return k, nil
}

// ParsePublicKey reads the text form (z6Mk...).
func ParsePublicKey(s string) (PublicKey, error) {
	p, ok := decodeText(multibase.Base58BTC, s, keyTextLength)
	if !ok {
		return PublicKey{}, fmt.Errorf("parse key: %w", ErrKey)
	}
	return PublicKeyFromBytes(p)
}

// Bytes returns the 34-byte binary form.
func (k PublicKey) Bytes() []byte { return append(ed25519Pub[:2:2], k[:]...) }

// LogValue implements slog.LogValuer: logs show the text form.
func (k PublicKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// String returns the text form, or a placeholder for the zero value.
func (k PublicKey) String() string {
	if k.IsZero() {
		return "<no key>"
	}
	return encodeText(multibase.Base58BTC, k.Bytes())
}

// Short is a fingerprint for people's eyes: the first characters that tell one
// key from another. It decides nothing.
func (k PublicKey) Short() string {
	if k.IsZero() {
		return k.String()
	}
	return k.String()[len("z6Mk"):][:10]
}

// IsZero reports whether k is nobody.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// ID is BLAKE3 of the binary form: the owner ID of docs/format.md, section 3.
func (k PublicKey) ID() [HashSize]byte { return blake3.Sum256(k.Bytes()) }

// Compare orders keys bytewise.
func (k PublicKey) Compare(o PublicKey) int { return bytes.Compare(k[:], o[:]) }

// MarshalCBOR encodes the binary form as a byte string. What UnmarshalCBOR would
// refuse is an error.
func (k PublicKey) MarshalCBOR() ([]byte, error) {
	if k.weak() {
		return nil, fmt.Errorf("encode key: %w", ErrKey)
	}
	return appendBytes(k.Bytes()), nil
}

// UnmarshalCBOR accepts exactly what MarshalCBOR produces.
func (k *PublicKey) UnmarshalCBOR(p []byte) error {
	rest, ok := cutBytes(p, PublicKeySize)
	if !ok {
		return ErrKey
	}
	o, err := PublicKeyFromBytes(rest)
	if err != nil {
		return err
	}
	*k = o
	return nil
}
