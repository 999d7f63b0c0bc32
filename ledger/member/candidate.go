package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

var _ ledger.SuccessionView = (*view)(nil)

// Chain implements ledger.SuccessionView.
func (v *view) Chain() ledger.Chain { return v.vault.chain() }

// Frozen implements ledger.SuccessionView.
func (v *view) Frozen() bool { return v.frozen(v.charter.CID()) }

// Succeeds implements ledger.SuccessionView.
func (v *view) Succeeds(entry ident.CID) bool {
	if entry.IsZero() {
		return false
	}
	ok, err := v.succeeds(entry, v.charter.CID())
	return v.failed(err) || ok
}

// Holds implements ledger.SuccessionView.
func (v *view) Holds(start ledger.LaneStart) bool {
	ok, err := v.holds(start)
	return !v.failed(err) && ok
}

// Passed implements ledger.SuccessionView: a request for exactly this charter has passed
// here, by this member's own clock. Of several the best counts.
func (v *view) Passed(successor ledger.Charter) error {
	// SPEC: a clock in doubt treats everything as locked
	if err := v.vault.store.cfg.Doubt(); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrClockDoubt, err)
	}
	requests, err := v.requests()
	if v.failed(err) {
		return err
	}
	refusal := fmt.Errorf("%w: no request for charter %s is here", ledger.ErrLowers, successor.CID())
	for _, id := range requests {
		c, err := v.gather(id)
		if v.failed(err) {
			return err
		}
		if c.Successor.IsZero() || c.Successor.CID() != successor.CID() {
			continue
		}
		if err = v.vault.passed(v.index, c, v.vault.store.cfg.Now()); err == nil {
			return nil
		}
		refusal = fmt.Errorf("%w: %w", ledger.ErrLowers, err)
	}
	return refusal
}
