package p2p

import (
	"crypto/ed25519"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"holdfast/internal/ident"
)

// peerOf returns the name that libp2p has for a key. The zero key has none.
func peerOf(key ident.PublicKey) (peer.ID, error) {
	if key.IsZero() {
		return "", fmt.Errorf("name peer: %w", ident.ErrKey)
	}
	pub, err := crypto.UnmarshalEd25519PublicKey(key[:])
	if err != nil {
		return "", fmt.Errorf("name peer: %w", err)
	}
	return peer.IDFromPublicKey(pub)
}

// keyOf returns the key in a peer's name. Names of other kinds of keys are refused.
func keyOf(p peer.ID) (ident.PublicKey, error) {
	pub, err := p.ExtractPublicKey()
	if err != nil {
		return ident.PublicKey{}, fmt.Errorf("read peer name: %w", ident.ErrKey)
	}
	raw, err := pub.Raw()
	if err != nil || pub.Type() != crypto.Ed25519 || len(raw) != ed25519.PublicKeySize {
		return ident.PublicKey{}, fmt.Errorf("read peer name: %w", ident.ErrKey)
	}
	return ident.PublicKey(raw), nil
}

// identity returns the form of a private key that libp2p takes.
func identity(key ident.PrivateKey) (crypto.PrivKey, error) {
	seed := key.Seed()
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
}
