package ledger

import (
	"fmt"

	"holdfast/internal/ident"
)

// Ack is a member's word that an entry's certificate, the entry and its body are on
// its disk. Acks of a quorum make the entry final.
type Ack struct {
	V int64 `cbor:"v"`
	Place
	Entry    ident.CID       `cbor:"entry"`
	Operator ident.PublicKey `cbor:"operator"`
}

// SignAck signs a with the member's vote key.
func SignAck(vote ident.PrivateKey, a Ack) (ident.Signed, error) {
	a.V = version
	if err := a.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelAck, a.Vault, MaxSmall, a)
}

// VerifyAck checks that a member of ch acknowledges an entry under ch.
func VerifyAck(s ident.Signed, ch Charter) (Ack, error) {
	var a Ack
	if err := parse(LabelAck, s.Object, MaxSmall, &a); err != nil {
		return Ack{}, err
	}
	if err := a.under(ch, LabelAck); err != nil {
		return Ack{}, err
	}
	if err := a.validate(); err != nil {
		return Ack{}, err
	}
	_, err := ch.voter(s, a.Operator, LabelAck)
	return verified(a, err)
}

// VerifyAcks checks that a quorum of ch's members acknowledge one entry at one place:
// it is final.
func VerifyAcks(acks []ident.Signed, ch Charter) (Place, ident.CID, error) {
	var first Ack
	seen := make(map[ident.PublicKey]bool, len(acks))
	for i, s := range acks {
		a, err := VerifyAck(s, ch)
		if err != nil {
			return Place{}, ident.CID{}, err
		}
		if i == 0 {
			first = a
		}
		if a.Place != first.Place || a.Entry != first.Entry {
			return Place{}, ident.CID{}, mismatch(LabelAck, "entry %s at %v", a.Entry, a.Place)
		}
		if seen[a.Operator] {
			return Place{}, ident.CID{}, invalid(LabelAck, "two of operator %s", a.Operator)
		}
		seen[a.Operator] = true
	}
	if len(acks) < ch.Quorum() {
		return Place{}, ident.CID{}, fmt.Errorf("%d acks of %d: %w", len(acks), ch.Quorum(), ErrNoQuorum)
	}
	return first.Place, first.Entry, nil
}

func (a Ack) validate() error {
	if !structure(a.Entry) {
		return invalid(LabelAck, "entry names no structure")
	}
	return a.Place.validate(LabelAck)
}
