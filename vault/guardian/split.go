package guardian

import (
	"crypto/rand"
	"fmt"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	"holdfast/ledger"
	"holdfast/seal"
)

// Sharing is what a charter says about its guardians: Guardians, Threshold and
// Secret are the fields of those names.
type Sharing struct {
	Guardians []ledger.Guardian // in the order in which they were given
	Threshold int64
	Secret    []byte // the root secret, sealed to a key that any Threshold guardians have
}

// Split makes the sharing of a vault's root secret, for its first charter or for a
// successor: each time with a key and a polynomial of its own, so that shares of
// two splits are of no use together. Salt is the charter's. Threshold 0 is
// Majority. The error is ErrThreshold or ErrTwice.
func Split(e seal.Entropy, salt [32]byte, guardians []Public, threshold int) (Sharing, error) {
	if threshold == 0 {
		threshold = Majority(len(guardians))
	}
	if err := Check(guardians, threshold); err != nil {
		return Sharing{}, fmt.Errorf("split the root secret: %w", err)
	}
	key := group.Ristretto255.RandomNonZeroScalar(rand.Reader)
	out := Sharing{Threshold: int64(threshold)}
	var err error
	if out.Secret, err = sealTo(key, e); err != nil {
		return Sharing{}, fmt.Errorf("split the root secret: %w", err)
	}
	// circl's t is the number of shares that say nothing: one less than are needed.
	points := secretsharing.New(rand.Reader, uint(threshold-1), key).Share(uint(len(guardians)))
	owner := e.OwnerKey().Public()
	for i, p := range guardians {
		s := Share{Index: i + 1, Threshold: threshold, Of: len(guardians), vault: markOf(salt, owner), value: bytesOf(points[i].Value)}
		sealed, err := s.sealTo(p, salt, owner)
		if err != nil {
			return Sharing{}, fmt.Errorf("seal the share of %s: %w", p.Name, err)
		}
		out.Guardians = append(out.Guardians, ledger.Guardian{Name: p.Name, Key: p.Key, Envelope: sealed, Share: hashOf(salt, s.value)})
	}
	return out, nil
}

// Check says whether a root secret can be split among these people: two at least,
// each with a name and keys of his own. The error is ErrThreshold, ErrName or
// ErrTwice.
func Check(guardians []Public, threshold int) error {
	if len(guardians) > ledger.MaxGuardians {
		return fmt.Errorf("%w: %d are more than %d", ErrThreshold, len(guardians), ledger.MaxGuardians)
	}
	if err := CheckThreshold(threshold, len(guardians)); err != nil {
		return err
	}
	for i, p := range guardians {
		if err := checkName(p.Name); err != nil {
			return err
		}
		for _, q := range guardians[:i] {
			if p.Key == q.Key || p.Recipient == q.Recipient || p.Name == q.Name {
				return fmt.Errorf("%w: %s", ErrTwice, p.Name)
			}
		}
	}
	return nil
}

// sealTo seals the root secret to the identity whose seed is the scalar: a post-
// quantum one, so that nothing outside of an envelope leads to the secret.
func sealTo(key group.Scalar, e seal.Entropy) ([]byte, error) {
	id, err := seal.NewIdentity(bytesOf(key))
	if err != nil {
		return nil, err
	}
	return seal.SealBytes(e[:], id.Recipient())
}

// bytesOf returns the canonical form of a scalar (RFC 9496, section 4.4).
func bytesOf(s group.Scalar) [32]byte {
	p, err := s.MarshalBinary()
	if err != nil || len(p) != 32 {
		panic("guardian: a scalar of ristretto255 has another form than 32 bytes")
	}
	return [32]byte(p)
}
