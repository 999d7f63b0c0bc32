package ledger

import "holdfast/internal/ident"

// Attempt is how a lane's writer asks a member for a report: to promise that it votes
// and acknowledges nothing at a place's height below the place's attempt, and to say
// which certificate it holds there.
type Attempt struct {
	V int64 `cbor:"v"`
	Place
}

// SignAttempt signs a with its lane's key, which is filled in.
func SignAttempt(lane ident.PrivateKey, a Attempt) (ident.Signed, error) {
	a.V, a.Lane = version, lane.Public()
	if err := a.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(lane, LabelAttempt, a.Vault, MaxSmall, a)
}

// VerifyAttempt checks form and signature, the latter by the lane's key inside. That
// the charter is in force is for the member to judge.
func VerifyAttempt(s ident.Signed) (Attempt, error) {
	var a Attempt
	if err := parse(LabelAttempt, s.Object, MaxSmall, &a); err != nil {
		return Attempt{}, err
	}
	if err := a.validate(); err != nil {
		return Attempt{}, err
	}
	return verified(a, check(s, a.Lane, LabelAttempt, a.Vault))
}

func (a Attempt) validate() error {
	// SPEC: attempt, at least 1
	if a.Attempt < 1 {
		return invalid(LabelAttempt, "attempt %d", a.Attempt)
	}
	return a.Place.validate(LabelAttempt)
}
