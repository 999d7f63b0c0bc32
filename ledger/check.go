package ledger

import (
	"fmt"
	"time"

	"holdfast/internal/ident"
)

// View is what a member knows of one vault when it judges a proposal. Everything in
// it is from certified entries, but for what is said otherwise.
type View interface {
	// Charter returns the charter in force.
	Charter() Charter
	// Grant returns the newest grant of a device that is enrolled. Revoked says that
	// it was revoked; it is then no device, enrolled or not.
	Grant(device ident.PublicKey) (g Grant, enrolled, revoked bool)
	// Head returns the highest certified entry of a lane, height 0 for none; of the
	// lane that is judged, the entry below the height that is proposed, where that
	// height is the head's own.
	Head(lane ident.PublicKey) (height int64, entry ident.CID)
	// Numbered returns how many segments a lane has introduced up to and with one of
	// its certified entries; false if it is none. The undefined CID is before the first.
	Numbered(lane ident.PublicKey, upto ident.CID) (count int64, ok bool)
	// Introduced reports whether a segment is introduced by a certified entry, or by
	// an entry of another lane that this member has voted for. The second keeps two
	// entries that introduce the same segment from both being certified. What the entry
	// introduces that the proposed one would replace does not count.
	Introduced(segment ident.CID) bool
	// Refs returns the resolved reference set of a certified snapshot entry.
	Refs(entry ident.CID) (Set, bool)
	// Closing reports whether a set has segments of a release that this member has
	// consented to, or whose certificate it holds, and that is not undone; and names some
	// of them, at most MaxNamed. It keeps an entry that refers to a segment and a release
	// of it from both being certified.
	Closing(s Set) (named []ident.CID, closing bool)
}

// CertificateView is a View that remembers certificates which have been verified: the
// same few nodes hold the shards of entry after entry.
type CertificateView interface {
	// NodeCertificate is VerifyNodeCertificate.
	NodeCertificate(s ident.Signed) (NodeCertificate, error)
}

// ReceiptView is a View that remembers receipts which it has verified, for a proposal
// that is judged again.
type ReceiptView interface {
	// NodeReceipt is VerifyReceipt.
	NodeReceipt(s ident.Signed, holder ident.PublicKey, vault ident.CID) (Receipt, error)
}

// CheckProposal decides whether an honest member votes for e: nil and what e will
// change, or the rule that it breaks. The signatures of p and e have been verified.
// What else must hold is the member's own memory: that it has not voted for another
// entry at this place, and what else LaneState decides.
func CheckProposal(v View, p Proposal, e Entry, body []byte, now time.Time) (Effect, error) {
	for _, rule := range []func() error{
		func() error { return checkPlace(v.Charter(), p, e) },
		func() error { return checkFrost(v, p, e) },
		func() error { return checkRights(v, e, now) },
		func() error { return checkChain(v, e) },
	} {
		if err := rule(); err != nil {
			return Effect{}, fmt.Errorf("check entry %s: %w", e.CID(), err)
		}
	}
	eff, b, err := readEffect(v.Charter(), e, body)
	if err == nil {
		err = checkEffect(v, p, e, eff, b, now)
	}
	if err != nil {
		return Effect{}, fmt.Errorf("check entry %s: %w", e.CID(), err)
	}
	return eff, nil
}

func checkEffect(v View, p Proposal, e Entry, eff Effect, b SnapshotBody, now time.Time) error {
	switch e.Kind {
	case KindSnapshot:
		return checkSnapshot(v, p, e, eff, b, now)
	case KindEnrol:
		if _, _, revoked := v.Grant(eff.Grant.Device); revoked {
			return fmt.Errorf("device %s: %w", eff.Grant.Device, ErrRevoked)
		}
	case KindRevoke:
		if eff.Revoked == e.Lane {
			return invalid(labelBody, "the owner cannot be revoked")
		}
	case KindCharter:
		return checkSuccession(v, eff.Succession)
	}
	return nil
}

func checkPlace(ch Charter, p Proposal, e Entry) error {
	switch {
	case p.Vault != ch.ID() || e.Vault != ch.ID():
		return mismatch(LabelProposal, "vault %s", p.Vault)
	case p.Entry != e.CID() || p.Lane != e.Lane || p.Height != e.Height:
		return mismatch(LabelProposal, "entry %s at %v", p.Entry, p.Place)
	case p.Charter != ch.CID() || e.Charter != ch.CID():
		return fmt.Errorf("%w: %s", ErrCharter, e.Charter)
	}
	return nil
}

// checkRights holds who may add what: the owner's lane has devices in it, and a
// device's lane has snapshots.
func checkRights(v View, e Entry, now time.Time) error {
	if e.Lane == v.Charter().Owner {
		if e.Kind == KindSnapshot {
			return fmt.Errorf("%w: %s in the owner's", ErrKind, e.Kind)
		}
		return nil
	}
	g, enrolled, revoked := v.Grant(e.Lane)
	switch {
	case revoked:
		return fmt.Errorf("device %s: %w", e.Lane, ErrRevoked)
	case !enrolled:
		return fmt.Errorf("%w: %s is no device of the vault", ErrForbidden, e.Lane)
	case e.Kind != KindSnapshot:
		return fmt.Errorf("%w: %s in a device's", ErrKind, e.Kind)
	case !g.Rights.CanAppend():
		return fmt.Errorf("%w: device %s has rights %s", ErrForbidden, e.Lane, g.Rights)
	}
	return g.ValidAt(now)
}

func checkChain(v View, e Entry) error {
	height, head := v.Head(e.Lane)
	switch {
	case e.Height > height+1:
		return fmt.Errorf("%w: height %d above head %d", ErrBehind, e.Height, height)
	case e.Height <= height:
		return fmt.Errorf("%w: height %d, head %d", ErrStale, e.Height, height)
	case e.Prev != head:
		return fmt.Errorf("%w: %s after %s", ErrFork, e.Prev, head)
	}
	return nil
}
