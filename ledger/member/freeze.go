package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Freeze shows this member a successor of the charter in force. If it may follow (see
// ledger.CheckFreeze), this member signs under that charter nothing more but what
// belongs to a successor, which is on the disk before Freeze returns its word for it:
// with the highest certificate that it holds of every lane. Asked again it says what it
// holds then.
func (s *Store) Freeze(vault ident.CID, successor ident.Signed) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	now := v.constitution()
	next, err := ledger.VerifyNextCharter(successor, now.chain.Current())
	if err != nil {
		return ident.Signed{}, fmt.Errorf("freeze vault %s: %w", v.id, err)
	}
	f := ledger.Freeze{Vault: v.id, Charter: next.Prev, Operator: s.cfg.Operator, Clock: ledger.Millis(s.cfg.Now())}
	err = v.change(func(x index) error { return ledger.CheckFreeze(v.viewOf(x), next) }, func(x index) error {
		if err := x.putFrozen(next.Prev, f.Clock); err != nil {
			return err
		}
		var err error
		f.Lanes, err = x.certifiedHeads()
		return err
	})
	if err != nil {
		return ident.Signed{}, fmt.Errorf("freeze vault %s: %w", v.id, err)
	}
	return ledger.SignFreeze(now.key, f)
}

// frozen reports whether nothing more is signed under a charter but what belongs to its
// successor.
func (x index) frozen(charter ident.CID) bool {
	return string(x.get(aboutBucket, []byte(aboutFrozen))) == string(charter.Bytes())
}

// certifiedHeads returns the highest certificate of every lane, as a freeze names it.
func (x index) certifiedHeads() ([]ledger.LaneStart, error) {
	var heads []ledger.LaneStart
	err := x.bucket(headsBucket).ForEach(func(k, _ []byte) error {
		lane, err := ident.PublicKeyFromBytes(k)
		if err != nil {
			return fmt.Errorf("read head: %w", err)
		}
		height, id, err := x.head(lane)
		if err != nil || height == 0 {
			return err
		}
		rec, err := x.chained(id.Bytes())
		heads = append(heads, ledger.LaneStart{Lane: lane, Height: height, Entry: id, Attempt: rec.Attempt})
		return err
	})
	return heads, err
}

// viewOf is the view of a member that judges no entry.
func (v *vault) viewOf(x index) *view {
	return &view{index: x, vault: v, charter: v.inForce(), certs: &v.store.certs}
}

// succeeds reports whether a certified entry brings a successor of a charter: it is of
// that kind and stands under that charter.
func (x index) succeeds(entry, charter ident.CID) (bool, error) {
	rec, ok, err := x.certified(entry)
	if err != nil || !ok {
		return false, err
	}
	l, err := rec.link()
	if err != nil {
		return false, err
	}
	e, err := ledger.VerifyEntry(l.Entry)
	return err == nil && e.Kind == ledger.KindCharter && e.Charter == charter, err
}

// freezeFor freezes the charter in force for an entry that brings its successor.
//
// SPEC: a vote for v+1 freezes v
func (v *vault) freezeFor(x index, e ledger.Entry) error {
	if e.Kind != ledger.KindCharter || e.Charter != v.inForce().CID() {
		return nil
	}
	return x.putFrozen(e.Charter, ledger.Millis(v.store.cfg.Now()))
}

// checkThawed checks that a charter is in force and not frozen: that this member still
// signs under it what belongs to no successor.
func (v *vault) checkThawed(x index, charter ident.CID) error {
	if charter != v.inForce().CID() {
		return fmt.Errorf("%w: %s", ledger.ErrCharter, charter)
	}
	if x.frozen(charter) {
		return fmt.Errorf("vault %s: %w", v.id, ledger.ErrFrozen)
	}
	return nil
}
