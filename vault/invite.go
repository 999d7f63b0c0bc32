package vault

import (
	"errors"
	"fmt"

	"holdfast/internal/armour"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Invite is the owner's answer to a join request: which vault it is, what the device
// may do there, and where the network is found. Nothing in it is secret. That it came
// from the vault's owner is for people to see to: whoever can put another file in its
// place can have the machine join another vault.
type Invite struct {
	V         int64        `cbor:"v"`
	Name      string       `cbor:"name"`    // what the owner's machine calls the vault
	Charter   ident.Signed `cbor:"charter"` // the first one
	Grant     ident.Signed `cbor:"grant"`
	Bootstrap []string     `cbor:"bootstrap,omitempty"`

	charter ledger.Charter
	grant   ledger.Grant
}

const inviteVersion = 1

// ErrNotInvited says that an invitation is for another machine.
var ErrNotInvited = errors.New("the invitation is for another machine")

// Vault returns the vault's ID; Device whom the invitation is for; Rights what that
// device may do.
func (i Invite) Vault() ident.CID        { return i.charter.ID() }
func (i Invite) Device() ident.PublicKey { return i.grant.Device }
func (i Invite) Rights() ledger.Rights   { return i.grant.Rights }

// Text is the invitation as it is handed over.
func (i Invite) Text() ([]byte, error) {
	i.V = inviteVersion
	return armour.Encode(labelInvite, i)
}

// ReadInvite reads an invitation and verifies what its vault's owner has signed.
func ReadInvite(path string) (Invite, error) {
	text, err := armour.ReadFile(path)
	if err != nil {
		return Invite{}, fmt.Errorf("read invitation: %w", err)
	}
	i, err := parseInvite(text)
	if err != nil {
		return Invite{}, fmt.Errorf("read invitation: %w", err)
	}
	return i, nil
}

func parseInvite(text []byte) (Invite, error) {
	var i Invite
	err := armour.Decode(labelInvite, text, &i)
	if err == nil && i.V != inviteVersion {
		err = fmt.Errorf("%w: version %d is not known", ErrArmour, i.V)
	}
	if err != nil {
		return Invite{}, err
	}
	if i.charter, err = ledger.VerifyFirstCharter(i.Charter); err != nil {
		return Invite{}, fmt.Errorf("%w: %w", ErrArmour, err)
	}
	if i.grant, err = ledger.VerifyGrant(i.Grant, i.charter.Owner, i.charter.ID()); err != nil {
		return Invite{}, fmt.Errorf("%w: %w", ErrArmour, err)
	}
	return i, nil
}
