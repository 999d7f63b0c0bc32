package vault

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/seal"
)

// rotateAfter has new data go to a recipient that a revoked reader cannot open, and
// gives every reader that is left the identity for it. It may be repeated until it
// succeeds: what is done already is not done again. It reports whether there was
// anything to do.
func (s *Session) rotateAfter(ctx context.Context, e seal.Entropy, device ident.PublicKey) (did bool, err error) {
	under, ok, err := s.revokedUnder(ctx, device)
	if err != nil {
		return false, err
	}
	if ok && under.Identity == s.charter.Identity {
		did = true
		if _, err := s.Change(ctx, e, Change{Rotate: true}); err != nil {
			return did, err
		}
	}
	renewed, err := s.renewReaders(ctx, e)
	return did || renewed > 0, err
}

// revokedUnder returns the charter under which a device was revoked.
func (s *Session) revokedUnder(ctx context.Context, device ident.PublicKey) (ch ledger.Charter, ok bool, err error) {
	for _, l := range s.history.lanes[s.charter.Owner] {
		if l.Entry.Kind != ledger.KindRevoke {
			continue
		}
		p, err := s.Body(ctx, l)
		if err != nil {
			return ch, false, err
		}
		b, err := ledger.ParseRevokeBody(p)
		if err != nil {
			return ch, false, err
		}
		if b.Device == device {
			ch, ok = s.chain.At(l.Entry.Charter)
			return ch, ok, nil
		}
	}
	return ch, false, nil
}

// renewReaders enrols again, with the rights that it has, every device that reads and
// has not been given the identity in force.
func (s *Session) renewReaders(ctx context.Context, e seal.Entropy) (renewed int, err error) {
	given, err := s.identitiesGiven(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range s.Devices() {
		g := d.Grant
		if d.Revoked || !g.Rights.CanRead() || g.ValidAt(s.options.Now()) != nil || given[g.Device] >= s.charter.Identity {
			continue
		}
		if _, err := s.enrolSealed(ctx, e, s.history.signed[g.Device], g); err != nil {
			return renewed, fmt.Errorf("give device %s the vault's new identity: %w", g.Name, err)
		}
		renewed++
	}
	return renewed, nil
}

// identitiesGiven returns the number of the vault identity that was in force when each
// device was last enrolled.
func (s *Session) identitiesGiven(ctx context.Context) (map[ident.PublicKey]int64, error) {
	given := map[ident.PublicKey]int64{}
	for _, l := range s.history.lanes[s.charter.Owner] {
		if l.Entry.Kind != ledger.KindEnrol {
			continue
		}
		p, err := s.Body(ctx, l)
		if err != nil {
			return nil, err
		}
		b, err := ledger.ParseEnrolBody(p)
		if err != nil {
			return nil, err
		}
		g, err := ledger.VerifyGrant(b.Grant, s.charter.Owner, s.vault)
		if err != nil {
			return nil, err
		}
		if ch, ok := s.chain.At(l.Entry.Charter); ok {
			given[g.Device] = ch.Identity
		}
	}
	return given, nil
}
