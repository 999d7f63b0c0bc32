package ledger

import "holdfast/internal/ident"

// Vote is a member's word that it has locked a place to an entry: it votes for no
// other entry there.
type Vote struct {
	V int64 `cbor:"v"`
	Place
	Entry    ident.CID       `cbor:"entry"`
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"` // ms, the member's
}

// SignVote signs v with the member's vote key.
func SignVote(vote ident.PrivateKey, v Vote) (ident.Signed, error) {
	v.V = version
	if err := v.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelVote, v.Vault, MaxSmall, v)
}

// VerifyVote checks that a member of ch voted under ch.
func VerifyVote(s ident.Signed, ch Charter) (Vote, error) {
	var v Vote
	if err := parse(LabelVote, s.Object, MaxSmall, &v); err != nil {
		return Vote{}, err
	}
	if err := v.under(ch, LabelVote); err != nil {
		return Vote{}, err
	}
	if err := v.validate(); err != nil {
		return Vote{}, err
	}
	_, err := ch.voter(s, v.Operator, LabelVote)
	return verified(v, err)
}

func (v Vote) validate() error {
	if !structure(v.Entry) || !validTime(v.Clock) {
		return invalid(LabelVote, "entry or clock")
	}
	return v.Place.validate(LabelVote)
}
