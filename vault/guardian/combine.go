package guardian

import (
	"fmt"

	"github.com/cloudflare/circl/secretsharing"

	"holdfast/ledger"
	"holdfast/seal"
)

// Combine opens a charter's secret with shares, all of which must be right: one that
// is not is named, and nothing is computed with it. More than are needed are
// welcome. The error is ErrNoSecret, ErrForeign, ErrOtherSplit, ErrDuplicate,
// ErrTooFew, or ErrSecret.
func Combine(c ledger.Charter, shares []Share) (seal.Entropy, error) {
	if len(c.Secret) == 0 {
		return seal.Entropy{}, ErrNoSecret
	}
	for i, s := range shares {
		if err := s.Verify(c); err != nil {
			return seal.Entropy{}, fmt.Errorf("share %d: %w", i+1, err)
		}
	}
	if err := Together(shares); err != nil {
		return seal.Entropy{}, err
	}
	id, err := interpolate(shares)
	if err != nil {
		return seal.Entropy{}, err
	}
	p, err := seal.OpenBytes(c.Secret, len(seal.Entropy{}), id)
	if err != nil || len(p) != len(seal.Entropy{}) {
		return seal.Entropy{}, ErrSecret
	}
	e := seal.Entropy(p)
	if e.OwnerKey().Public() != c.Owner {
		return seal.Entropy{}, ErrSecret
	}
	return e, nil
}

// Together says, before there is a charter to compare with, whether shares can be
// combined: all of one vault and one split, none twice, and enough of them. The
// error is ErrForeign, ErrOtherSplit, ErrDuplicate or ErrTooFew.
func Together(shares []Share) error {
	if len(shares) == 0 {
		return fmt.Errorf("%w: none", ErrTooFew)
	}
	first, seen := shares[0], map[int]bool{}
	for i, s := range shares {
		switch {
		case s.vault != first.vault:
			return fmt.Errorf("share %d: %w than share 1", i+1, ErrForeign)
		case s.Threshold != first.Threshold || s.Of != first.Of:
			return fmt.Errorf("share %d: %w than share 1", i+1, ErrOtherSplit)
		case seen[s.Index]:
			return fmt.Errorf("share %d: %w: number %d", i+1, ErrDuplicate, s.Index)
		}
		seen[s.Index] = true
	}
	if len(shares) < first.Threshold {
		return fmt.Errorf("%w: %d given, %d of %d needed", ErrTooFew, len(shares), first.Threshold, first.Of)
	}
	return nil
}

// interpolate returns the identity that enough shares give.
func interpolate(shares []Share) (seal.Identity, error) {
	points := make([]secretsharing.Share, 0, len(shares))
	for _, s := range shares {
		p, err := s.scalar()
		if err != nil {
			return seal.Identity{}, err
		}
		points = append(points, p)
	}
	// circl's t is one less than the number of shares that are needed, and it would
	// panic for two with one index, which Together has refused.
	key, err := secretsharing.Recover(uint(shares[0].Threshold-1), points)
	if err != nil {
		return seal.Identity{}, fmt.Errorf("%w: %w", ErrTooFew, err)
	}
	return seal.NewIdentity(bytesOf(key))
}
