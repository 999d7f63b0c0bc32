package ledger

import "holdfast/internal/ident"

// ReleaseState is what a member knows of a release.
type ReleaseState int64

// The states of a release. Shards go to the trash, and from there, only while
// Proven(n) members say ReleaseCertified.
const (
	ReleaseUnknown   ReleaseState = iota // not known here
	ReleaseConsented                     // consented to here, and no certificate is
	ReleaseCertified                     // its certificate is here
	ReleaseUndone                        // this member has taken it back, or holds the certificate of a quorum that has
)

// Standing is a member's answer about releases.
type Standing struct {
	V        int64             `cbor:"v"`
	Vault    ident.CID         `cbor:"vault"`
	Charter  ident.CID         `cbor:"charter"` // the newest in force here
	Nonce    [16]byte          `cbor:"nonce"`   // of who asks
	Operator ident.PublicKey   `cbor:"operator"`
	Clock    int64             `cbor:"clock"`  // ms
	States   []ReleaseStanding `cbor:"states"` // in the order asked
}

// ReleaseStanding is what a member knows of one release.
type ReleaseStanding struct {
	Release ident.CID    `cbor:"r"`
	State   ReleaseState `cbor:"state"`
	// Until, of one that is certified, is when this member stops taking it back, ms on
	// its clock. Once Proven(n) members are past it, no quorum can take it back any more.
	Until int64 `cbor:"until"`
}

// SignStanding signs a with the member's vote key.
func SignStanding(vote ident.PrivateKey, a Standing) (ident.Signed, error) {
	a.V = version
	if err := a.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelStanding, a.Vault, MaxStanding, a)
}

// VerifyStanding checks that s is the answer of member m of ch to a question with a
// nonce about exactly the releases asked, in their order. The charter that it names
// may be newer than ch.
func VerifyStanding(s ident.Signed, ch Charter, m Member, nonce [16]byte, asked []ident.CID) (Standing, error) {
	var a Standing
	if err := parse(LabelStanding, s.Object, MaxStanding, &a); err != nil {
		return Standing{}, err
	}
	if a.Vault != ch.ID() || a.Operator != m.Operator || a.Nonce != nonce || len(a.States) != len(asked) {
		return Standing{}, mismatch(LabelStanding, "answer of operator %s", a.Operator)
	}
	for i, st := range a.States {
		if st.Release != asked[i] {
			return Standing{}, mismatch(LabelStanding, "release %s", st.Release)
		}
	}
	if err := a.validate(); err != nil {
		return Standing{}, err
	}
	return verified(a, check(s, m.Vote, LabelStanding, a.Vault))
}

func (a Standing) validate() error {
	if !structure(a.Charter) || !validTime(a.Clock) || len(a.States) > MaxStates {
		return invalid(LabelStanding, "charter, clock or number of releases")
	}
	for _, st := range a.States {
		certified := st.State == ReleaseCertified
		if st.State < ReleaseUnknown || st.State > ReleaseUndone || !validTime(st.Until) || st.Until != 0 && !certified {
			return invalid(LabelStanding, "state %d until %d", st.State, st.Until)
		}
	}
	return nil
}
