package ledger

import "holdfast/internal/ident"

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

func (a Ack) validate() error {
	if !structure(a.Entry) {
		return invalid(LabelAck, "entry names no structure")
	}
	return a.Place.validate(LabelAck)
}
