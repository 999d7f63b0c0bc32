package ledger

import "holdfast/internal/ident"

// Stance is what an opinion says. It is not in the structure: the label says it, so
// that nobody can turn one into the other.
type Stance string

// The stances.
const (
	Approve Stance = "approve"
	Veto    Stance = "veto"
)

// Label returns the label under which opinions of a stance are signed; none for what
// is no stance.
func (s Stance) Label() ident.Label {
	switch s {
	case Approve:
		return LabelApprove
	case Veto:
		return LabelVeto
	}
	return ""
}

// Opinion is a guardian's word about a request: an approval, or a veto.
type Opinion struct {
	V       int64           `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Charter ident.CID       `cbor:"charter"` // the request's
	Request ident.CID       `cbor:"request"`
	By      ident.PublicKey `cbor:"by"`
	Clock   int64           `cbor:"clock"` // ms, of who signs
}

// SignOpinion signs o, whose By is filled in.
func SignOpinion(by ident.PrivateKey, stance Stance, o Opinion) (ident.Signed, error) {
	o.V, o.By = version, by.Public()
	if err := o.validate(stance); err != nil {
		return ident.Signed{}, err
	}
	return sign(by, stance.Label(), o.Vault, MaxSmall, o)
}

// VerifyOpinion checks form and signature of an opinion about a verified request, the
// latter by the key inside. Whether that key has a say is decided by CheckVoice.
func VerifyOpinion(s ident.Signed, stance Stance, r Request) (Opinion, error) {
	o, err := parseOpinion(s, stance)
	if err == nil && (o.Vault != r.Vault || o.Charter != r.Charter || o.Request != r.cid) {
		err = mismatch(stance.Label(), "request %s", o.Request)
	}
	if err != nil {
		return Opinion{}, err
	}
	return verified(o, check(s, o.By, stance.Label(), r.Vault))
}

// ReadOpinion checks the form alone: it says which request an opinion is about.
func ReadOpinion(s ident.Signed, stance Stance) (Opinion, error) { return parseOpinion(s, stance) }

func parseOpinion(s ident.Signed, stance Stance) (Opinion, error) {
	var o Opinion
	if err := parse(stance.Label(), s.Object, MaxSmall, &o); err != nil {
		return Opinion{}, err
	}
	return verified(o, o.validate(stance))
}

func (o Opinion) validate(stance Stance) error {
	switch {
	case stance.Label() == "":
		return invalid("opinion", "stance %.20q is not known", string(stance))
	case !structure(o.Vault) || !structure(o.Charter) || !structure(o.Request):
		return invalid(stance.Label(), "vault, charter or request names no structure")
	case !validTime(o.Clock):
		return invalid(stance.Label(), "clock %d", o.Clock)
	}
	return nil
}
