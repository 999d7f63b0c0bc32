package vault

import (
	"fmt"
	"slices"

	"holdfast/ledger"
	"holdfast/seal"
)

// takeEnrolment brings this machine's profile up to what the owner's lane says of it:
// a newer grant, and the keys that are sealed to it. So a reader gets the vault's next
// identity when the owner has changed it, without a word being typed.
func (s *Session) takeEnrolment() error {
	signed, enrolled := s.history.signed[s.lane()]
	if !enrolled {
		return nil
	}
	p, changed := s.profile, false
	own, err := ledger.VerifyGrant(p.Grant, s.charter.Owner, s.vault)
	if signed.CID() != p.Grant.CID() && (err != nil || own.Issued <= s.history.grants[s.lane()].Issued) {
		p.Grant, changed = signed, true
	}
	if sealed := s.history.sealed; sealed != nil {
		s.history.sealed = nil
		keys, ids, err := openKeys(sealed, p.Index)
		if err != nil {
			s.warn("the keys that the owner has sealed for this machine cannot be opened: %v", err)
		} else if keys != p.Keys || !covers(p.Identities, ids, s.history.grants[s.lane()].Rights) {
			p.Keys, p.Identities, changed = keys, ids, true
		}
	}
	if !changed {
		return nil
	}
	s.profile = p
	return s.home.Save(p)
}

// covers reports whether a device has what was sealed to it. A reader that has more has
// it from the words, and keeps it; who may not read any more keeps nothing.
func covers(have, sealed []seal.Identity, r ledger.Rights) bool {
	if !r.CanRead() {
		return len(have) == len(sealed)
	}
	for _, id := range sealed {
		if !slices.ContainsFunc(have, func(h seal.Identity) bool { return sameIdentity(h, id) }) {
			return false
		}
	}
	return true
}

func sameIdentity(a, b seal.Identity) bool { return a.Seed() == b.Seed() }

// allowed judges this device's own grant, so that a person is told the reason before
// anything is tried: it was revoked, or has ended.
func (s *Session) allowed() error {
	g, err := ledger.VerifyGrant(s.profile.Grant, s.charter.Owner, s.vault)
	switch {
	case err != nil:
		return fmt.Errorf("%w: its grant does not verify", ErrNoRight)
	case s.history.gone[s.lane()]:
		return fmt.Errorf("%w: %w", ErrNoRight, ledger.ErrRevoked)
	case g.ValidAt(s.options.Now()) != nil:
		return fmt.Errorf("%w: its grant ended on %s", ErrNoRight, ledger.Time(g.Expires).UTC().Format("2006-01-02 15:04 MST"))
	}
	return nil
}

// revokedBy believes members who say that this device was revoked, if one of so many
// cannot lie. A revoked device is not given the entry that says so.
func (s *Session) revokedBy(members int) error {
	if members <= s.charter.Faults() {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNoRight, ledger.ErrRevoked)
}
