package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"

	"holdfast/internal/ident"
)

// Labels of the secrets that follow from the entropy (docs/format.md, section 3).
const (
	labelOwner    = "holdfast v1 owner"
	labelIdentity = "holdfast v1 identity "
	labelData     = "holdfast v1 dedup data"
	labelTree     = "holdfast v1 dedup tree"
	labelChunker  = "holdfast v1 chunker"
)

// Entropy is the root secret of a vault. Its written form is the phrase.
type Entropy [32]byte

// NewEntropy draws a root secret: from crypto/rand but for tests.
func NewEntropy(random io.Reader) (Entropy, error) {
	var e Entropy
	if _, err := io.ReadFull(random, e[:]); err != nil {
		return Entropy{}, fmt.Errorf("draw entropy: %w", err)
	}
	return e, nil
}

// OwnerKey derives the key that signs charters.
func (e Entropy) OwnerKey() ident.PrivateKey {
	return ident.NewPrivateKey(e.derive(nil, labelOwner))
}

// Keys derives what a device needs for chunks. The salt is the charter's.
func (e Entropy) Keys(salt []byte) Keys {
	return Keys{
		DedupData: e.derive(salt, labelData),
		DedupTree: e.derive(salt, labelTree),
		Chunker:   e.derive(salt, labelChunker),
	}
}

// Identity derives the vault's identity of that number, which opens what was
// sealed to its recipient. The salt is the charter's.
func (e Entropy) Identity(salt []byte, number uint64) (Identity, error) {
	return NewIdentity(e.derive(salt, labelIdentity+strconv.FormatUint(number, 10)))
}

func (e Entropy) derive(salt []byte, label string) [32]byte {
	p, err := hkdf.Key(sha256.New, e[:], salt, label, 32)
	if err != nil {
		panic("seal: HKDF: " + err.Error()) // only lengths beyond 255 hashes are refused
	}
	return [32]byte(p)
}
