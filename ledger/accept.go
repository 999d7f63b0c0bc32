package ledger

import "holdfast/internal/ident"

// Acceptance is a member's word that it keeps a vault's ledger.
type Acceptance struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"`
	Operator ident.PublicKey `cbor:"operator"`
	Time     int64           `cbor:"time"` // ms
}

// SignAcceptance signs a with the member's vote key.
func SignAcceptance(vote ident.PrivateKey, a Acceptance) (ident.Signed, error) {
	a.V = version
	return sign(vote, LabelAccept, a.Vault, MaxSmall, a)
}

// VerifyAcceptance checks that a member of ch accepts ch.
func VerifyAcceptance(s ident.Signed, ch Charter) (Acceptance, error) {
	var a Acceptance
	if err := parse(LabelAccept, s.Object, MaxSmall, &a); err != nil {
		return Acceptance{}, err
	}
	switch {
	case a.Vault != ch.ID() || a.Charter != ch.CID():
		return Acceptance{}, mismatch(LabelAccept, "vault %s, charter %s", a.Vault, a.Charter)
	case !validTime(a.Time):
		return Acceptance{}, invalid(LabelAccept, "time %d", a.Time)
	}
	_, err := ch.voter(s, a.Operator, LabelAccept)
	return verified(a, err)
}
