package schedule

import (
	"errors"

	"holdfast/ledger"
)

// mind is all that an honest member has on its disk. The rules of a lane are the
// ledger's; those that tie lanes, charters and releases together are its members'.
type mind struct {
	charter int
	frozen  bool // signs nothing new under the charter
	lanes   [lanes]memory
	closing segments // of releases that it consented to, or whose certificate it holds
}

// The lanes of a world. The first is the owner's.
const (
	ownerLane = iota
	deviceLane
	otherLane
	lanes
)

var (
	errFrozen  = errors.New("the charter is frozen")
	errClosing = errors.New("a segment is closing")
)

// vote judges a proposal. A vote for a charter freezes the one before it.
func (m *mind) vote(f *facts, s subject, bound int, final bool) error {
	e := f.entries[s.entry]
	switch {
	case s.charter != m.charter:
		return ledger.ErrCharter
	// SPEC: Nothing follows an entry of kind charter under the same charter.
	case f.entries[e.prev].next != 0 && f.entries[e.prev].charter == s.charter && f.weak != overrun:
		return errFrozen
	// SPEC: frozen, it votes for charters, and for what its reports bind a proposal to,
	// in the owner's lane alone
	case m.frozen && f.weak != unfrozen && (s.lane != ownerLane || e.next == 0 && bound != s.entry):
		return errFrozen
	// SPEC: who consented to the release of a segment votes for no entry that refers to
	// it, but for one that was certified before
	case e.refs&m.closing != 0 && bound != s.entry && f.weak != heedless:
		return errClosing
	}
	for _, start := range e.starts {
		if !m.holds(start) {
			return ledger.ErrBehind
		}
	}
	if err := m.lanes[s.lane].vote(f, s, bound, final); err != nil {
		return err
	}
	m.frozen = m.frozen || e.next != 0
	return nil
}

// holds says whether an entry is certified here.
func (m *mind) holds(s subject) bool {
	chain := m.lanes[s.lane].chain
	return s.height <= int64(len(chain)) && chain[s.height-1].entry == s.entry
}

// report answers a question about a height.
func (m *mind) report(member int, p place) (report, error) {
	if p.charter != m.charter {
		return report{}, ledger.ErrCharter
	}
	return m.lanes[p.lane].report(member, p)
}

// take keeps a certificate.
func (m *mind) take(f *facts, s subject, ack bool) error {
	switch {
	case s.charter != m.charter:
		return ledger.ErrCharter
	// SPEC: frozen, it acknowledges nothing outside the owner's lane
	case ack && m.frozen && s.lane != ownerLane && f.weak != unfrozen:
		return errFrozen
	}
	return m.lanes[s.lane].take(f, s, ack)
}
