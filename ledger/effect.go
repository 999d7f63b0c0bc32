package ledger

import (
	"fmt"

	"holdfast/internal/ident"
)

// Effect is what changes in a vault when an entry is certified.
type Effect struct {
	Segments []Segment // introduced, in the order of their numbers
	Refs     Raw       // reference set of a snapshot
	Partial  bool      // the snapshot is not complete

	// Holders are the rows of the segments' placements, as their certificates say. Their
	// signatures are not verified here, and one that cannot be read is the zero value.
	Holders []NodeCertificate

	Enrolled ident.Signed    // grant of a new device
	Grant    Grant           // the same, verified
	Revoked  ident.PublicKey // device that loses its rights, for ever

	// Succession is what an entry of kind charter brings: the successor is in force
	// once the entry is final, not before.
	Succession Succession
}

// readHolders reads certificates. One that cannot be read is the zero value.
func readHolders(certs []ident.Signed) []NodeCertificate {
	out := make([]NodeCertificate, len(certs))
	for i, s := range certs {
		var c NodeCertificate
		if err := parse(LabelNodeCertificate, s.Object, MaxSmall, &c); err == nil && c.validate() == nil {
			out[i] = c
		}
	}
	return out
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
		return Effect{Segments: segments, Holders: readHolders(b.Holders), Refs: b.Refs, Partial: b.Partial}, b, nil
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
	case KindCharter:
		s, err := readSuccession(ch, e, body)
		if err != nil {
			return fail(err)
		}
		return Effect{Succession: s}, SnapshotBody{}, nil
	default:
		return fail(fmt.Errorf("entry %s: %w: %.20q", e.CID(), ErrKind, string(e.Kind)))
	}
}
