package guardian

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Contexts of the hashes of a share.
const (
	shareContext = "holdfast v1 share"
	markContext  = "holdfast v1 share mark"
)

// mark is the beginning of a hash that names a vault before there is a charter. It
// tells the shares of two vaults apart and protects from nobody.
type mark [8]byte

// markOf names a vault.
//
//	SPEC: the first 8 bytes of BLAKE3("holdfast v1 share mark" || 00 || salt || owner key)
func markOf(salt [32]byte, owner ident.PublicKey) mark {
	sum := hash(markContext, salt[:], owner.Bytes())
	return mark(sum[:8])
}

// hashOf is what a charter says about a share outside of the envelope.
//
//	SPEC: BLAKE3("holdfast v1 share" || 00 || salt || share)
func hashOf(salt, value [32]byte) [32]byte { return hash(shareContext, salt[:], value[:]) }

// Share is one guardian's part of a vault's recovery key: one point of a polynomial
// over the scalars of ristretto255 whose value at 0 opens the charter's secret. It
// is a secret; below the threshold shares say nothing about each other or the key.
type Share struct {
	Index     int // 1 for the first guardian of the charter
	Threshold int // so many shares are needed
	Of        int // of so many

	vault mark
	value [32]byte // the scalar, in its canonical form
}

// scalar returns the share as circl takes it.
func (s Share) scalar() (secretsharing.Share, error) {
	value := group.Ristretto255.NewScalar()
	if err := value.UnmarshalBinary(s.value[:]); err != nil {
		return secretsharing.Share{}, fmt.Errorf("%w: not a scalar", ErrShare)
	}
	return secretsharing.Share{ID: group.Ristretto255.NewScalar().SetUint64(uint64(s.Index)), Value: value}, nil
}

// check says whether a share stands by itself: numbers that can be, and a scalar in
// its one form. The error is ErrShare.
func (s Share) check() error {
	if CheckThreshold(s.Threshold, s.Of) != nil || s.Of > ledger.MaxGuardians || s.Index < 1 || s.Index > s.Of {
		return fmt.Errorf("%w: number %d, %d of %d", ErrShare, s.Index, s.Threshold, s.Of)
	}
	_, err := s.scalar()
	return err
}

// Verify says whether the share is one of those that c's envelopes hold. The error
// is ErrForeign for a share of another vault, and ErrOtherSplit for one of another
// set of guardians of the same vault.
func (s Share) Verify(c ledger.Charter) error {
	switch {
	case s.vault != markOf(c.Salt, c.Owner):
		return ErrForeign
	case s.Of != len(c.Guardians) || int64(s.Threshold) != c.Threshold || s.Index < 1 || s.Index > s.Of:
		return fmt.Errorf("%w: number %d, %d of %d", ErrOtherSplit, s.Index, s.Threshold, s.Of)
	case hashOf(c.Salt, s.value) != c.Guardians[s.Index-1].Share:
		return fmt.Errorf("%w: number %d", ErrOtherSplit, s.Index)
	}
	return nil
}

// Format hides the secret.
func (s Share) Format(f fmt.State, _ rune) { io.WriteString(f, "<share>") }

// LogValue hides the secret.
func (s Share) LogValue() slog.Value { return slog.StringValue("<share>") }
