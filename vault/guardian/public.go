package guardian

import (
	"encoding/base64"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/seal"
)

// LabelGuardian is what a guardian signs his public file under. It belongs to no
// vault.
const LabelGuardian ident.Label = "guardian"

// Public is a guardian as the owner of a vault knows him. The fingerprint of Key is
// what the two compare by another way than the file came.
type Public struct {
	Name      string
	Key       ident.PublicKey // verifies approvals and vetoes
	Recipient seal.Recipient  // the share is sealed to it
}

// publicObject is the signed part of a public file.
type publicObject struct {
	V         int64           `cbor:"v"`
	Name      string          `cbor:"name"`
	Key       ident.PublicKey `cbor:"key"`
	Recipient string          `cbor:"recipient"`
}

const (
	publicMagic   = "holdfast-guardian-public v1"
	publicVersion = 1
	publicLimit   = 16 << 10
)

const publicText = publicMagic + `
# Guardian %s (%s). There is no secret in this file: give it to the owner of the
# vault, and compare the letters in brackets by another way.
guardian: %s
`

// publicText returns the content of the public file: signed, so that nobody can put
// another recipient beside a key whose fingerprint is known.
func (k Key) publicText() (string, error) {
	p := k.Public()
	object, err := wire.Encode(publicObject{V: publicVersion, Name: p.Name, Key: p.Key, Recipient: p.Recipient.String()})
	if err != nil {
		return "", err
	}
	signed, err := wire.Encode(k.Approval.Sign(LabelGuardian, ident.CID{}, object))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(publicText, p.Name, p.Key.Short(), base64.RawStdEncoding.EncodeToString(signed)), nil
}

// ReadPublic reads a guardian's public file.
func ReadPublic(path string) (Public, error) {
	text, err := readSmall(path, publicLimit)
	if err != nil {
		return Public{}, fmt.Errorf("read guardian's public file: %w", err)
	}
	p, err := ParsePublic(text)
	if err != nil {
		return Public{}, fmt.Errorf("read guardian's public file %s: %w", path, err)
	}
	return p, nil
}

// ParsePublic reads the content of a guardian's public file. The error is
// ErrPublicFile, and says so if it is the secret file instead.
func ParsePublic(text []byte) (Public, error) {
	if IsKey(text) {
		return Public{}, fmt.Errorf("%w: it is the secret key file; its owner keeps it to himself", ErrPublicFile)
	}
	values, err := fields(text, publicMagic, "guardian")
	if err != nil {
		return Public{}, fmt.Errorf("%w: %w", ErrPublicFile, err)
	}
	p, err := base64.RawStdEncoding.Strict().DecodeString(values["guardian"])
	if err != nil {
		return Public{}, fmt.Errorf("%w: damaged", ErrPublicFile)
	}
	public, err := verifyPublic(p)
	if err != nil {
		return Public{}, fmt.Errorf("%w: %w", ErrPublicFile, err)
	}
	return public, nil
}

func verifyPublic(p []byte) (Public, error) {
	var s ident.Signed
	if err := wire.Decode(p, &s); err != nil {
		return Public{}, errors.New("damaged")
	}
	var o publicObject
	if err := wire.DecodeVersion(s.Object, publicVersion, &o); err != nil {
		return Public{}, err
	}
	if err := s.Verify(o.Key, LabelGuardian, ident.CID{}); err != nil {
		return Public{}, err
	}
	if err := checkName(o.Name); err != nil {
		return Public{}, err
	}
	r, err := seal.ParseRecipient(o.Recipient)
	if err != nil {
		return Public{}, err
	}
	return Public{Name: o.Name, Key: o.Key, Recipient: r}, nil
}
