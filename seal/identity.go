package seal

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
)

// Human-readable parts of age's hybrid keys.
const (
	identityPart    = "age-secret-key-pq-"
	recipientLength = 1959
)

// ErrRecipient says that text is not an age hybrid recipient.
var ErrRecipient = errors.New("not an age hybrid recipient (age1pq1...)")

// Identity opens what was sealed to its recipient. It is a secret, wherever it
// goes; its zero value opens nothing.
type Identity struct{ p *identity }

// identity and its secrets are behind pointers because fmt, which prints unexported
// fields past every method, follows one pointer at most.
type identity struct {
	seed      *[32]byte
	age       *age.HybridIdentity
	recipient Recipient
}

// NewIdentity makes the hybrid identity of a seed. A new one's seed comes from
// crypto/rand; the vault's follow from its entropy.
func NewIdentity(seed [32]byte) (Identity, error) {
	a, err := age.ParseHybridIdentity(strings.ToUpper(bech32(identityPart, seed[:])))
	if err != nil {
		return Identity{}, errors.New("make identity: age refuses the seed")
	}
	return Identity{&identity{&seed, a, Recipient{a.Recipient().String()}}}, nil
}

// Seed returns the 32 secret bytes that the identity is made of; zeros for the
// zero value.
func (i Identity) Seed() [32]byte {
	if i.p == nil {
		return [32]byte{}
	}
	return *i.p.seed
}

// Recipient returns the public half.
func (i Identity) Recipient() Recipient {
	if i.p == nil {
		return Recipient{}
	}
	return i.p.recipient
}

// IsZero reports whether there is no identity.
func (i Identity) IsZero() bool { return i.p == nil }

// Recipient is whom something is sealed to. It is public and comparable; nothing
// can be sealed to its zero value.
type Recipient struct{ text string }

// ParseRecipient reads age's text form of a hybrid recipient, in the one spelling
// that String gives.
func ParseRecipient(s string) (Recipient, error) {
	if len(s) != recipientLength {
		return Recipient{}, fmt.Errorf("parse recipient: %w", ErrRecipient)
	}
	r, err := age.ParseHybridRecipient(s)
	if err != nil || r.String() != s {
		return Recipient{}, fmt.Errorf("parse recipient: %w", ErrRecipient)
	}
	return Recipient{s}, nil
}

// String returns age's text form, 1,959 characters; nothing for the zero value.
func (r Recipient) String() string { return r.text }

// IsZero reports whether there is no recipient.
func (r Recipient) IsZero() bool { return r.text == "" }

// ageRecipients returns the recipients as age wants them.
func ageRecipients(rs []Recipient) ([]age.Recipient, error) {
	if len(rs) == 0 || len(rs) > maxRecipients {
		return nil, fmt.Errorf("seal to %d recipients: 1 to %d are possible", len(rs), maxRecipients)
	}
	as := make([]age.Recipient, len(rs))
	for i, r := range rs {
		a, err := age.ParseHybridRecipient(r.text)
		if err != nil {
			return nil, fmt.Errorf("seal to recipient %d: %w", i, ErrRecipient)
		}
		as[i] = a
	}
	return as, nil
}
