package ledger

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
)

// Confirmation is a guardian's word that he has opened his envelope in a charter, and
// that the share in it is the one whose hash the charter has. Everything in it stands in
// the charter as well, but for the time: it tells nothing of the share.
type Confirmation struct {
	V       int64           `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Charter ident.CID       `cbor:"charter"` // whose envelope was opened
	By      ident.PublicKey `cbor:"by"`
	Share   [32]byte        `cbor:"share"` // its hash, as in the charter
	Clock   int64           `cbor:"clock"` // ms, of who signs

	cid ident.CID
}

// SignConfirmation signs with a guardian's approval key that his share in a charter is
// right. That he has looked is between him and his key. The error is ErrForbidden if
// the key is no guardian's, and ErrInvalid if the charter gives nobody a share.
func SignConfirmation(by ident.PrivateKey, ch Charter, at time.Time) (ident.Signed, error) {
	g, ok := ch.Guardian(by.Public())
	switch {
	case !ok:
		return ident.Signed{}, noGuardian(by.Public())
	case len(ch.Secret) == 0:
		return ident.Signed{}, invalid(LabelConfirm, "charter %s gives nobody a share", ch.CID())
	}
	c := Confirmation{V: version, Vault: ch.ID(), Charter: ch.CID(), By: g.Key, Share: g.Share, Clock: Millis(at)}
	if err := c.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(by, LabelConfirm, c.Vault, MaxSmall, c)
}

// VerifyConfirmation checks that a confirmation counts in a vault whose verified
// charters these are, from the first to the one in force. The error is ErrMismatch for
// another vault or another share, ErrCharter for a charter that is not known or whose
// shares are not those of today, ErrForbidden for who is no guardian.
//
// SPEC: A confirmation counts for the charter that it names, and for each one after it
// that has the same guardians, threshold and secret.
func VerifyConfirmation(s ident.Signed, charters []Charter) (Confirmation, error) {
	c, err := parseConfirmation(s)
	if err != nil {
		return Confirmation{}, err
	}
	i := slices.IndexFunc(charters, func(ch Charter) bool { return ch.CID() == c.Charter })
	switch {
	case c.Vault != charters[0].ID():
		return Confirmation{}, mismatch(LabelConfirm, "vault %s", c.Vault)
	case i < 0:
		return Confirmation{}, fmt.Errorf("%s: %w: %s", LabelConfirm, ErrCharter, c.Charter)
	}
	opened, now := charters[i], charters[len(charters)-1]
	g, ok := opened.Guardian(c.By)
	switch {
	case !ok:
		return Confirmation{}, noGuardian(c.By)
	case g.Share != c.Share || len(opened.Secret) == 0:
		return Confirmation{}, mismatch(LabelConfirm, "not the share of guardian %q", g.Name)
	case !SameShares(opened, now):
		return Confirmation{}, fmt.Errorf("%s: %w: shares were dealt anew after number %d", LabelConfirm, ErrCharter, opened.Number)
	}
	return verified(c, check(s, c.By, LabelConfirm, c.Vault))
}

func noGuardian(key ident.PublicKey) error {
	return fmt.Errorf("%s: %w: %s is no guardian", LabelConfirm, ErrForbidden, key)
}

func parseConfirmation(s ident.Signed) (Confirmation, error) {
	var c Confirmation
	if err := parse(LabelConfirm, s.Object, MaxSmall, &c); err != nil {
		return Confirmation{}, err
	}
	c.cid = s.CID()
	return verified(c, c.validate())
}

func (c Confirmation) validate() error {
	if !structure(c.Vault) || !structure(c.Charter) || !validTime(c.Clock) {
		return invalid(LabelConfirm, "vault, charter or clock")
	}
	return nil
}

// Newer reports whether c takes the place of another confirmation of the same guardian.
//
// SPEC: Of two the one with the later clock counts, of two with the same clock that
// with the greater CID.
func (c Confirmation) Newer(other Confirmation) bool {
	return cmp.Or(cmp.Compare(c.Clock, other.Clock), c.cid.Compare(other.cid)) > 0
}

// SameShares reports whether two charters of a vault have one sharing of one secret:
// whoever has confirmed his share of the one has confirmed that of the other.
func SameShares(a, b Charter) bool {
	return a.Threshold == b.Threshold && bytes.Equal(a.Secret, b.Secret) && slices.EqualFunc(a.Guardians, b.Guardians, sameGuardian)
}
