package ledger

import (
	"fmt"

	"holdfast/internal/ident"
)

// SuccessionView is a View that knows the vault's chain of charters. What is no
// SuccessionView votes for no charter.
type SuccessionView interface {
	// Chain returns the charters up to the one in force.
	Chain() Chain
	// Frozen reports whether the charter in force is frozen for a successor.
	Frozen() bool
	// Succeeds reports whether a certified entry brings a successor of the charter in
	// force.
	Succeeds(entry ident.CID) bool
	// Holds reports whether an entry is certified here at its height.
	Holds(LaneStart) bool
	// Passed returns nil if a successor that has to wait may be voted for: a request
	// for it has passed here. Otherwise it says why not.
	Passed(successor Charter) error
}

// checkFrost holds that a frozen charter makes room for its successor and for nothing
// else.
//
// SPEC: frozen, a member votes for entries of kind charter, and in the owner's lane for
// what was certified before. Nothing follows an entry of kind charter under the same
// charter.
func checkFrost(v View, p Proposal, e Entry) error {
	s, ok := v.(SuccessionView)
	switch {
	case !ok:
		return nil
	case s.Succeeds(e.Prev):
		return fmt.Errorf("entry %s: %w: %s brings the next charter", e.CID(), ErrFrozen, e.Prev)
	case !s.Frozen() || e.Kind == KindCharter || e.Lane == v.Charter().Owner && p.Bound() == e.CID():
		return nil
	}
	return fmt.Errorf("entry %s: %w", e.CID(), ErrFrozen)
}

// CheckFrozenAck decides whether a member acknowledges an entry under a frozen charter:
// of the owner's lane alone, whose next entry brings the successor.
func CheckFrozenAck(ch Charter, lane ident.PublicKey) error {
	if lane != ch.Owner {
		return fmt.Errorf("entry of lane %s: %w", lane, ErrFrozen)
	}
	return nil
}

// checkSuccession holds the rules of a charter: who signs for it can prove where it
// starts, and what lowers protection has waited.
func checkSuccession(v View, succession Succession) error {
	s, ok := v.(SuccessionView)
	if !ok {
		return fmt.Errorf("%w: no charters are known", ErrKind)
	}
	if err := s.Chain().CheckSuccession(succession); err != nil {
		return err
	}
	if succession.Waited {
		if err := s.Passed(succession.Charter); err != nil {
			return err
		}
	}
	// SPEC: members vote only if they hold each start certified themselves
	for _, l := range succession.Frozen {
		if !s.Holds(l) {
			return fmt.Errorf("%w: lane %s is frozen at height %d", ErrBehind, l.Lane, l.Height)
		}
	}
	return nil
}

// CheckFreeze decides whether a member freezes the charter in force for a successor:
// it follows that charter, and what lowers protection has passed here.
func CheckFreeze(s SuccessionView, next Charter) error {
	chain := s.Chain()
	if next.Prev != chain.Current().CID() {
		return fmt.Errorf("%w: %s", ErrCharter, next.Prev)
	}
	waits, err := CheckLowering(chain.Base(), chain.Current(), next)
	if err == nil && waits {
		err = s.Passed(next)
	}
	return err
}
