package ledger

import (
	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelUndoing names undo certificates in errors; they are not signed on their own.
const labelUndoing ident.Label = "undo certificate"

// Undo asks the members to take a certified release back.
type Undo struct {
	V       int64           `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Charter ident.CID       `cbor:"charter"` // in force
	Release ident.CID       `cbor:"release"`
	By      ident.PublicKey `cbor:"by"`
	Clock   int64           `cbor:"clock"` // ms, of who asks
}

// SignUndo signs u, whose By is filled in.
func SignUndo(by ident.PrivateKey, u Undo) (ident.Signed, error) {
	u.V, u.By = version, by.Public()
	if err := u.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(by, LabelUndo, u.Vault, MaxSmall, u)
}

// VerifyUndo checks form and signature of an undo in a vault, the latter by the key
// inside. Whether that key has a say is decided by CheckVoice.
func VerifyUndo(s ident.Signed, vault ident.CID) (Undo, error) {
	var u Undo
	if err := parse(LabelUndo, s.Object, MaxSmall, &u); err != nil {
		return Undo{}, err
	}
	if u.Vault != vault {
		return Undo{}, mismatch(LabelUndo, "vault %s", u.Vault)
	}
	if err := u.validate(); err != nil {
		return Undo{}, err
	}
	return verified(u, check(s, u.By, LabelUndo, vault))
}

func (u Undo) validate() error {
	if !structure(u.Vault) || !structure(u.Charter) || !structure(u.Release) || !validTime(u.Clock) {
		return invalid(LabelUndo, "vault, charter, release or clock")
	}
	return nil
}

// Undone is a member's word that a release is taken back, as far as it can say. It
// has the form of a consent, under another label.
type Undone Consent

// SignUndone signs u with the member's vote key.
func SignUndone(vote ident.PrivateKey, u Undone) (ident.Signed, error) {
	u.V = version
	if err := Consent(u).validate(LabelUndone); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelUndone, u.Vault, MaxSmall, u)
}

// VerifyUndone checks that a member of ch takes a release back under ch.
func VerifyUndone(s ident.Signed, ch Charter, release ident.CID) (Undone, error) {
	var u Undone
	if err := parse(LabelUndone, s.Object, MaxSmall, &u); err != nil {
		return Undone{}, err
	}
	return verified(u, Consent(u).verify(s, LabelUndone, ch, release))
}

// UndoCertificate is a quorum's word that a release is taken back.
type UndoCertificate struct {
	V       int64          `cbor:"v"`
	Vault   ident.CID      `cbor:"vault"`
	Charter ident.CID      `cbor:"charter"` // under which it is taken back
	Release ident.CID      `cbor:"release"`
	Undone  []ident.Signed `cbor:"undone"` // sorted by operator
}

// NewUndoCertificate makes the encoded certificate of words in any order, and
// verifies what it has made.
func NewUndoCertificate(release ident.CID, words []ident.Signed, ch Charter) ([]byte, UndoCertificate, error) {
	sorted, err := byOperator(words, ch, labelUndoing)
	if err != nil {
		return nil, UndoCertificate{}, err
	}
	p, err := wire.Encode(UndoCertificate{V: version, Vault: ch.ID(), Charter: ch.CID(), Release: release, Undone: sorted})
	if err != nil {
		return nil, UndoCertificate{}, err
	}
	c, err := VerifyUndoCertificate(p, ch)
	if err != nil {
		return nil, UndoCertificate{}, err
	}
	return p, c, nil
}

// ReadUndoCertificate checks the form alone: it says which charter and release a
// certificate is about. Nothing in it is proved.
func ReadUndoCertificate(p []byte) (UndoCertificate, error) {
	var c UndoCertificate
	if err := parse(labelUndoing, p, MaxUndoCertificate, &c); err != nil {
		return UndoCertificate{}, err
	}
	if !structure(c.Vault) || !structure(c.Charter) || !structure(c.Release) {
		return UndoCertificate{}, invalid(labelUndoing, "vault, charter or release names no structure")
	}
	return c, nil
}

// VerifyUndoCertificate checks that a quorum of ch's members takes a release back.
func VerifyUndoCertificate(p []byte, ch Charter) (UndoCertificate, error) {
	c, err := ReadUndoCertificate(p)
	switch {
	case err != nil:
		return UndoCertificate{}, err
	case c.Vault != ch.ID() || c.Charter != ch.CID():
		return UndoCertificate{}, mismatch(labelUndoing, "vault %s, charter %s", c.Vault, c.Charter)
	}
	return verified(c, checkWords(c.Undone, ch, labelUndoing, func(s ident.Signed) (ident.PublicKey, error) {
		w, err := VerifyUndone(s, ch, c.Release)
		return w.Operator, err
	}))
}
