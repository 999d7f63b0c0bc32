package guardian

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/seal"
)

// envelope is what is sealed to a guardian.
type envelope struct {
	V         int64           `cbor:"v"`
	Salt      [32]byte        `cbor:"salt"`
	Owner     ident.PublicKey `cbor:"owner"`
	Index     int64           `cbor:"index"`
	Share     [32]byte        `cbor:"share"`
	Threshold int64           `cbor:"threshold"`
	Of        int64           `cbor:"of"`
}

const (
	envelopeVersion = 1
	envelopeLimit   = 1 << 10 // opened
)

// sealTo puts a share into an envelope that only its guardian opens.
func (s Share) sealTo(p Public, salt [32]byte, owner ident.PublicKey) ([]byte, error) {
	plain, err := wire.Encode(envelope{
		V: envelopeVersion, Salt: salt, Owner: owner, Index: int64(s.Index), Share: s.value,
		Threshold: int64(s.Threshold), Of: int64(s.Of),
	})
	if err != nil {
		return nil, err
	}
	return seal.SealBytes(plain, p.Recipient)
}

// Open takes a guardian's share out of the charter's envelope for him. What comes
// out has been checked against the charter: a share that Open returns is one with
// which enough others open the secret. The error is ErrNoSecret, ErrWrongKey, or
// ErrEnvelope.
func (k Key) Open(c ledger.Charter) (Share, error) {
	if len(c.Secret) == 0 {
		return Share{}, ErrNoSecret
	}
	for i, g := range c.Guardians {
		if g.Key != k.Approval.Public() {
			continue
		}
		s, err := k.open(g.Envelope)
		if err == nil && s.Index != i+1 {
			err = fmt.Errorf("%w: it holds number %d", ErrEnvelope, s.Index)
		}
		if err != nil {
			return Share{}, fmt.Errorf("open envelope of guardian %s: %w", g.Name, err)
		}
		if err := s.Verify(c); err != nil {
			return Share{}, fmt.Errorf("open envelope of guardian %s: %w: %w", g.Name, ErrEnvelope, err)
		}
		return s, nil
	}
	return Share{}, fmt.Errorf("%w: %s", ErrWrongKey, k.Approval.Public().Short())
}

// open opens one envelope, whose own words it believes.
func (k Key) open(sealed []byte) (Share, error) {
	plain, err := seal.OpenBytes(sealed, envelopeLimit, k.Identity)
	if err != nil {
		return Share{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	return parseEnvelope(plain)
}

// parseEnvelope reads what an envelope holds. The error is ErrEnvelope.
func parseEnvelope(plain []byte) (Share, error) {
	var e envelope
	if err := wire.DecodeVersion(plain, envelopeVersion, &e); err != nil {
		return Share{}, fmt.Errorf("%w: damaged", ErrEnvelope)
	}
	s := Share{Index: int(e.Index), Threshold: int(e.Threshold), Of: int(e.Of), vault: markOf(e.Salt, e.Owner), value: e.Share}
	if err := s.check(); err != nil {
		return Share{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	return s, nil
}
