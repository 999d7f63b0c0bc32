package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Report promises the writer of a lane, who has signed for it, to vote and acknowledge
// nothing at a height below an attempt, and says which certificate this member holds
// there. The promise is on the disk before it is signed. A lower attempt than was
// promised before is ledger.ErrAttempt, a *StateError with the floor.
func (s *Store) Report(vault ident.CID, attempt ident.Signed) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	a, err := ledger.VerifyAttempt(attempt)
	if err != nil {
		return ident.Signed{}, err
	}
	if a.Vault != v.id || a.Charter != v.inForce().CID() {
		return ident.Signed{}, fmt.Errorf("%w: %s", ledger.ErrCharter, a.Charter)
	}
	r := ledger.Report{Place: a.Place, Operator: s.cfg.Operator}
	var next ledger.LaneState
	err = v.change(func(x index) error {
		next, r.Highest, err = v.report(x, a.Place)
		return err
	}, func(x index) error { return x.putFloors(a.Charter, a.Lane, next) })
	if err != nil {
		return ident.Signed{}, v.explain(a.Place, fmt.Errorf("report: %w", err))
	}
	return ledger.SignReport(v.voteKey(), r)
}

// report decides what this member promises at a place, and finds the certificate that
// it holds there.
func (v *vault) report(x index, at ledger.Place) (ledger.LaneState, ledger.Raw, error) {
	if err := v.mayWrite(x, at.Lane); err != nil {
		return ledger.LaneState{}, nil, err
	}
	was, err := v.laneState(x, at.Charter, at.Lane)
	if err != nil {
		return was, nil, err
	}
	next, err := was.Report(at.Height, at.Attempt)
	if err != nil || at.Height != was.Height {
		return next, nil, err
	}
	rec, err := x.chained(was.Entry.Bytes())
	if err != nil {
		return next, nil, err
	}
	l, err := rec.link()
	return next, l.Cert, err
}

// mayWrite checks that a lane is the owner's or a device's. What it may add is judged
// when it proposes.
func (v *vault) mayWrite(x index, lane ident.PublicKey) error {
	if lane == v.inForce().Owner || x.get(grantsBucket, lane.Bytes()) != nil && !x.revoked(lane) {
		return nil
	}
	return fmt.Errorf("%w: %s is no device of the vault", ledger.ErrForbidden, lane)
}
