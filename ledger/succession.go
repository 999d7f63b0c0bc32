package ledger

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// CharterBody is the body of an entry that gives a charter its successor.
type CharterBody struct {
	V       int64          `cbor:"v"`
	Charter ident.Signed   `cbor:"charter"` // the successor
	Freezes []ident.Signed `cbor:"freezes"` // of a quorum, exactly, sorted by operator
	Waited  bool           `cbor:"waited,omitempty"`
}

// Succession is what the body of an entry of kind charter says, verified under the
// charter before. The zero value is none.
type Succession struct {
	Signed  ident.Signed // the successor
	Charter Charter      // the same, verified
	Waited  bool         // it lowers protection, or appoints the first guardians
	Starts  []LaneStart  // sorted by lane: the freezes' highest, and in the owner's lane the entry itself
	Frozen  []LaneStart  // what a member must hold certified to vote for the entry
}

// IsZero reports whether there is no succession.
func (s Succession) IsZero() bool { return s.Signed.IsZero() }

// Start returns after which entry a lane goes on under the successor; height 0 for a
// lane that begins with it.
func (s Succession) Start(lane ident.PublicKey) LaneStart { return startOf(s.Starts, lane) }

// Encode returns b's bytes.
func (b CharterBody) Encode() ([]byte, error) {
	b.V = version
	if len(b.Freezes) > MaxMembers {
		return nil, invalid(labelBody, "%d freezes", len(b.Freezes))
	}
	p, err := wire.Encode(b)
	if err == nil && len(p) > MaxBody {
		err = fmt.Errorf("encode body: %w: %d bytes", ErrTooLarge, len(p))
	}
	return verified(p, err)
}

// ParseCharterBody checks the form of a body. What is signed in it is verified when
// the entry's effect is read.
func ParseCharterBody(p []byte) (CharterBody, error) {
	var b CharterBody
	if err := parse(labelBody, p, MaxBody, &b); err != nil {
		return CharterBody{}, err
	}
	if len(b.Freezes) > MaxMembers {
		return CharterBody{}, invalid(labelBody, "%d freezes", len(b.Freezes))
	}
	return b, nil
}

// readSuccession verifies a body under the charter before: the successor follows it,
// a quorum of it froze it, and the entry stands right above what they held of the
// owner's lane.
func readSuccession(prev Charter, e Entry, body []byte) (Succession, error) {
	b, err := ParseCharterBody(body)
	if err != nil {
		return Succession{}, err
	}
	if e.Charter != prev.CID() {
		return Succession{}, fmt.Errorf("entry %s: %w: %s", e.CID(), ErrCharter, e.Charter)
	}
	if e.Lane != prev.Owner {
		return Succession{}, fmt.Errorf("%w: %s in a device's", ErrKind, e.Kind)
	}
	next, err := VerifyNextCharter(b.Charter, prev)
	if err != nil {
		return Succession{}, err
	}
	frozen, err := verifyFreezes(b.Freezes, prev)
	if err != nil {
		return Succession{}, err
	}
	// SPEC: at start(owner lane)+1
	if own := startOf(frozen, e.Lane); e.Height != own.Height+1 || e.Prev != own.Entry {
		return Succession{}, fmt.Errorf("%w: charter at height %d, the owner's lane was frozen at %d", ErrFork, e.Height, own.Height)
	}
	s := Succession{Signed: b.Charter, Charter: next, Waited: b.Waited, Frozen: frozen}
	s.Starts = Starts([]Freeze{{Lanes: frozen}, {Lanes: []LaneStart{{Lane: e.Lane, Height: e.Height, Entry: e.CID()}}}})
	return s, nil
}

// verifyFreezes returns the starts of the freezes of a quorum.
func verifyFreezes(signed []ident.Signed, ch Charter) ([]LaneStart, error) {
	// SPEC: exactly q
	if len(signed) != ch.Quorum() {
		return nil, fmt.Errorf("%w: %d freezes of %d", ErrNoQuorum, len(signed), ch.Quorum())
	}
	freezes := make([]Freeze, 0, len(signed))
	for i, s := range signed {
		f, err := VerifyFreeze(s, ch)
		switch {
		case err != nil:
			return nil, fmt.Errorf("freeze %d: %w", i, err)
		case i > 0 && freezes[i-1].Operator.Compare(f.Operator) >= 0:
			return nil, invalid(labelBody, "freezes are not sorted by operator, or one is there twice")
		}
		freezes = append(freezes, f)
	}
	return Starts(freezes), nil
}
