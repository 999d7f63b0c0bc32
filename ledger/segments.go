package ledger

import "holdfast/internal/ident"

// State is what a member knows of a segment. Shards of a segment are provisional
// until one member says SegmentCertified; they may go once Proven(n) members say
// SegmentUnknown.
type State int64

// The states of a segment.
const (
	SegmentUnknown   State = iota // not known here
	SegmentLocked                 // a lock is held on an entry that introduces it
	SegmentCertified              // a certified entry introduces it
)

// Segments is a member's answer about segments.
type Segments struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"` // the newest it holds
	Nonce    [16]byte        `cbor:"nonce"`   // of who asks
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"`  // ms
	States   []SegmentState  `cbor:"states"` // in the order asked
}

// SegmentState is what a member knows of one segment.
type SegmentState struct {
	Segment ident.CID `cbor:"s"`
	State   State     `cbor:"state"`
}

// SignSegments signs a with the member's vote key.
func SignSegments(vote ident.PrivateKey, a Segments) (ident.Signed, error) {
	a.V = version
	if err := a.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelSegments, a.Vault, MaxSegments, a)
}

// VerifySegments checks that s is the answer of member m of ch to a question with a
// nonce about exactly the segments asked, in their order.
func VerifySegments(s ident.Signed, ch Charter, m Member, nonce [16]byte, asked []ident.CID) (Segments, error) {
	var a Segments
	if err := parse(LabelSegments, s.Object, MaxSegments, &a); err != nil {
		return Segments{}, err
	}
	if a.Vault != ch.ID() || a.Operator != m.Operator || a.Nonce != nonce || len(a.States) != len(asked) {
		return Segments{}, mismatch(LabelSegments, "answer of operator %s", a.Operator)
	}
	for i, st := range a.States {
		if st.Segment != asked[i] {
			return Segments{}, mismatch(LabelSegments, "segment %s", st.Segment)
		}
	}
	if err := a.validate(); err != nil {
		return Segments{}, err
	}
	return verified(a, check(s, m.Vote, LabelSegments, a.Vault))
}

func (a Segments) validate() error {
	if !structure(a.Charter) || !validTime(a.Clock) || len(a.States) > MaxStates {
		return invalid(LabelSegments, "charter, clock or number of segments")
	}
	for _, st := range a.States {
		if st.State < SegmentUnknown || st.State > SegmentCertified {
			return invalid(LabelSegments, "state %d", st.State)
		}
	}
	return nil
}
