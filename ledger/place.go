package ledger

import (
	"fmt"

	"holdfast/internal/ident"
)

// Place is where a vote counts: one attempt at one height of one lane, under one
// charter. It is comparable. A member votes for one entry at a place, ever.
type Place struct {
	Vault   ident.CID       `cbor:"vault"`
	Charter ident.CID       `cbor:"charter"`
	Lane    ident.PublicKey `cbor:"lane"`
	Height  int64           `cbor:"height"`
	Attempt int64           `cbor:"attempt"` // 0 at first
}

// String is for people's eyes.
func (p Place) String() string {
	return fmt.Sprintf("lane %s height %d attempt %d", p.Lane.Short(), p.Height, p.Attempt)
}

func (p Place) validate(what ident.Label) error {
	switch {
	case !structure(p.Vault) || !structure(p.Charter):
		return invalid(what, "vault or charter names no structure")
	case p.Height < 1 || p.Attempt < 0:
		return invalid(what, "height %d, attempt %d", p.Height, p.Attempt)
	}
	return nil
}

// under checks that p belongs to a charter.
func (p Place) under(ch Charter, what ident.Label) error {
	if err := p.validate(what); err != nil {
		return err
	}
	if p.Vault != ch.ID() || p.Charter != ch.CID() {
		return mismatch(what, "vault %s, charter %s", p.Vault, p.Charter)
	}
	return nil
}
