package ledger

import (
	"fmt"
	"time"

	"holdfast/internal/ident"
)

// Rights says what a device may do. The zero value is no right.
type Rights string

// The rights there are.
const (
	Append Rights = "append" // add, and read nothing
	Read   Rights = "read"
	Full   Rights = "full"
)

// CanAppend reports whether snapshots may be added.
func (r Rights) CanAppend() bool { return r == Append || r == Full }

// CanRead reports whether everything may be read.
func (r Rights) CanRead() bool { return r == Read || r == Full }

// ParseRights reads a person's word.
func ParseRights(s string) (Rights, error) {
	r := Rights(s)
	if !r.CanAppend() && !r.CanRead() {
		return "", fmt.Errorf("parse rights %.20q: %w", s, ErrInvalid)
	}
	return r, nil
}

// Grant is the owner's word about a device.
type Grant struct {
	V       int64           `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Device  ident.PublicKey `cbor:"device"`
	Name    string          `cbor:"name"`
	Rights  Rights          `cbor:"rights"`
	Quota   int64           `cbor:"quota,omitempty"` // bytes of shards, 0 for no limit
	Index   string          `cbor:"index"`           // recipient of the lane's index identity
	Issued  int64           `cbor:"issued"`          // ms
	Expires int64           `cbor:"expires,omitempty"`
}

// SignGrant signs g as the vault's owner.
func SignGrant(owner ident.PrivateKey, g Grant) (ident.Signed, error) {
	g.V = version
	if err := g.validate(owner.Public()); err != nil {
		return ident.Signed{}, err
	}
	return sign(owner, LabelGrant, g.Vault, MaxGrant, g)
}

// VerifyGrant checks a grant by the owner of a vault. Expiry is judged by ValidAt;
// that nothing revokes it, by whoever knows the owner's lane.
func VerifyGrant(s ident.Signed, owner ident.PublicKey, vault ident.CID) (Grant, error) {
	var g Grant
	if err := parse(LabelGrant, s.Object, MaxGrant, &g); err != nil {
		return Grant{}, err
	}
	if g.Vault != vault {
		return Grant{}, mismatch(LabelGrant, "vault %s", g.Vault)
	}
	if err := g.validate(owner); err != nil {
		return Grant{}, err
	}
	return verified(g, check(s, owner, LabelGrant, vault))
}

// ValidAt returns ErrExpired if g is past its time at t.
func (g Grant) ValidAt(t time.Time) error {
	if g.Expires != 0 && !t.Before(Time(g.Expires)) {
		return fmt.Errorf("grant of device %s: %w", g.Device, ErrExpired)
	}
	return nil
}

func (g Grant) validate(owner ident.PublicKey) error {
	_, err := ParseRights(string(g.Rights))
	switch {
	case err != nil:
		return invalid(LabelGrant, "rights %.20q", string(g.Rights))
	case g.Device == owner:
		return invalid(LabelGrant, "the owner is no device")
	case !validName(g.Name):
		return invalid(LabelGrant, "name")
	case g.Quota < 0:
		return invalid(LabelGrant, "quota %d", g.Quota)
	case !validRecipient(g.Index):
		return invalid(LabelGrant, "index recipient")
	case !validTime(g.Issued) || !validTime(g.Expires):
		return invalid(LabelGrant, "times")
	}
	return nil
}
