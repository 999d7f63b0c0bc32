package ledger

import (
	"fmt"

	"holdfast/internal/ident"
)

// Effect is what changes in a vault when an entry is certified.
type Effect struct {
	Segments []Segment       // introduced, in the order of their numbers
	Refs     Raw             // reference set of a snapshot
	Enrolled ident.Signed    // grant of a new device
	Grant    Grant           // the same, verified
	Revoked  ident.PublicKey // device that loses its rights, for ever
}

// ReadEffect reads an entry's body far enough to know its effect. It checks the
// form and what only the vault's owner can have signed, and nothing that members
// judge: it is for entries that are certified, and the first part of CheckProposal.
func ReadEffect(ch Charter, e Entry, body []byte) (Effect, error) {
	eff, _, err := readEffect(ch, e, body)
	return eff, err
}

func readEffect(ch Charter, e Entry, body []byte) (Effect, SnapshotBody, error) {
	fail := func(err error) (Effect, SnapshotBody, error) { return Effect{}, SnapshotBody{}, err }
	if len(body) > MaxBody {
		return fail(fmt.Errorf("body of entry %s: %w", e.CID(), ErrTooLarge))
	}
	if ident.SumDagCBOR(body) != e.Body {
		return fail(fmt.Errorf("entry %s: %w", e.CID(), ErrBody))
	}
	switch e.Kind {
	case KindSnapshot:
		b, err := ParseSnapshotBody(body)
		if err != nil {
			return fail(err)
		}
		segments, err := b.ParseSegments()
		if err != nil {
			return fail(err)
		}
		return Effect{Segments: segments, Refs: b.Refs}, b, nil
	case KindEnrol:
		b, err := ParseEnrolBody(body)
		if err != nil {
			return fail(err)
		}
		g, err := VerifyGrant(b.Grant, ch.Owner, ch.ID())
		if err != nil {
			return fail(err)
		}
		return Effect{Enrolled: b.Grant, Grant: g}, SnapshotBody{}, nil
	case KindRevoke:
		b, err := ParseRevokeBody(body)
		if err != nil {
			return fail(err)
		}
		return Effect{Revoked: b.Device}, SnapshotBody{}, nil
	default:
		return fail(fmt.Errorf("entry %s: %w: %.20q", e.CID(), ErrKind, string(e.Kind)))
	}
}
