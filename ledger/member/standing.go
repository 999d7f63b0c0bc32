package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Standing signs over a nonce what this member knows of releases, at most
// ledger.MaxStates: what holders ask before they move shards to the trash, and before
// they erase them. Until is told as it was when the certificate came: this member takes
// nothing back from then on. While the charter is frozen it says nothing: its successor
// may be in force already where this member does not know it, and have undone more.
func (s *Store) Standing(vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	if len(releases) > ledger.MaxStates {
		return ident.Signed{}, fmt.Errorf("%w: %d releases", ledger.ErrTooLarge, len(releases))
	}
	a := ledger.Standing{
		Vault: v.id, Charter: v.inForce().CID(), Nonce: nonce, Operator: s.cfg.Operator, Clock: ledger.Millis(s.cfg.Now()),
		States: make([]ledger.ReleaseStanding, len(releases)),
	}
	doubt := s.cfg.Doubt() != nil
	err = v.read(func(x index) error {
		if err := v.checkThawed(x, a.Charter); err != nil {
			return err
		}
		for i, id := range releases {
			rec, _, err := x.releaseOf(id)
			if err != nil {
				return err
			}
			a.States[i] = ledger.ReleaseStanding{Release: id, State: rec.state()}
			switch certified := a.States[i].State == ledger.ReleaseCertified; {
			case certified && doubt:
				a.States[i].Until = ledger.Never
			case certified:
				a.States[i].Until = rec.Until
			}
		}
		return nil
	})
	if err == nil {
		err = s.present()
	}
	if err != nil {
		return ident.Signed{}, fmt.Errorf("read releases: %w", err)
	}
	return ledger.SignStanding(v.voteKey(), a)
}
