package ident

import (
	"crypto/ed25519"
	"fmt"
	"io"
)

// SeedSize is the length of what a private key is made of.
const SeedSize = ed25519.SeedSize

// PrivateKey signs. It is a secret: no verb of fmt prints it, and it is never
// encoded as part of a structure. It is not comparable: compare Public. Its zero
// value is no key.
type PrivateKey struct {
	// A function, because fmt does not call Format on a field that is not exported,
	// and then prints slices, arrays, and with a verb that does not fit also what a
	// pointer points to.
	k func() ed25519.PrivateKey
}

// NewPrivateKey makes the key of a 32-byte seed (RFC 8032).
func NewPrivateKey(seed [SeedSize]byte) PrivateKey {
	k := ed25519.NewKeyFromSeed(seed[:])
	return PrivateKey{func() ed25519.PrivateKey { return k }}
}

// GenerateKey makes a key from crypto/rand or, in tests, another source.
func GenerateKey(random io.Reader) (PrivateKey, error) {
	var seed [SeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("generate key: %w", err)
	}
	return NewPrivateKey(seed), nil
}

// Public returns the key that verifies; nobody, if there is no key.
func (k PrivateKey) Public() PublicKey {
	if k.IsZero() {
		return PublicKey{}
	}
	return PublicKey(k.k().Public().(ed25519.PublicKey))
}

// Seed returns the 32 secret bytes that the key is made of, to be kept in a file.
// It panics if there is no key.
func (k PrivateKey) Seed() [SeedSize]byte { return [SeedSize]byte(k.must().Seed()) }

// IsZero reports whether there is no key.
func (k PrivateKey) IsZero() bool { return k.k == nil }

// Format keeps the key out of logs and errors, whatever the verb.
func (k PrivateKey) Format(s fmt.State, _ rune) { io.WriteString(s, "<private key>") }

func (k PrivateKey) must() ed25519.PrivateKey {
	if k.IsZero() {
		panic("ident: use of a private key that is not there")
	}
	return k.k()
}
