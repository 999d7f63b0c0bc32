package vault

import (
	"context"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Cases asks the members what was requested, the newest first, and hands each member
// what it has not heard yet. What is certified is what this machine has verified, as
// of the last Sync.
func (s *Session) Cases(ctx context.Context) ([]Case, error) {
	cases, st, err := s.council().docket(ctx, s.releases)
	if err == nil && st.Freshness == ledger.FreshUnknown {
		s.warn("only %d of %d members answered: there may be requests that they do not know", st.Answers, st.Members)
	}
	return cases, err
}

// docket is cases with what was verified of releases, and everything spread.
func (c council) docket(ctx context.Context, r *releases) ([]Case, Standing, error) {
	cases, st, err := c.cases(ctx)
	if err != nil {
		return nil, st, err
	}
	for i := range cases {
		r.settle(&cases[i])
	}
	c.spread(ctx, cases)
	for _, k := range cases {
		c.spreadReleases(ctx, r, k)
	}
	return cases, st, nil
}

// spreadReleases hands the certificates of a case to the members that have answered
// without them.
func (c council) spreadReleases(ctx context.Context, r *releases, k Case) {
	for id, one := range r.certs {
		if one.release.Request != k.Request.CID() {
			continue
		}
		for _, m := range c.charter.Members {
			held := k.papers.held[m.Node]
			if held == nil || slices.Contains(held.Undone, id) {
				continue
			}
			if !slices.Contains(held.Releases, id) && c.member(m).Release(ctx, c.charter.ID(), one.cert) != nil {
				continue // the next view shows that it is missing
			}
			if one.undo != nil {
				c.member(m).Undone(ctx, c.charter.ID(), one.undo)
			}
		}
	}
}

// OpenCases returns the cases that can still come to something.
func (s *Session) OpenCases(ctx context.Context) ([]Case, error) {
	cases, err := s.Cases(ctx)
	return slices.DeleteFunc(cases, func(k Case) bool { return !k.State.Open() }), err
}

// Case finds one by the beginning of its request's name.
func (s *Session) Case(ctx context.Context, ref string) (Case, error) {
	cases, err := s.Cases(ctx)
	if err != nil {
		return Case{}, err
	}
	return findCase(cases, ref)
}

// settle lets certificates decide: a member's word does not.
func (r *releases) settle(k *Case) {
	for id, c := range r.certs {
		if c.release.Request != k.Request.CID() {
			continue
		}
		k.Segments += len(c.release.Segments)
		if c.undo != nil {
			k.State, k.Why = ledger.StateUndone, "its release was taken back"
			continue
		}
		k.Releases = append(k.Releases, id)
		if k.State != ledger.StateUndone {
			k.State, k.Why = ledger.StateCertified, ""
		}
	}
	if k.State == ledger.StateCertified && len(k.Releases) == 0 {
		k.State = ledger.StatePassed // until its certificate is here
	}
}

// CarryOut drives a request that has passed to its end, and takes in what came of it.
func (s *Session) CarryOut(ctx context.Context, k Case) (Carried, error) {
	out, err := s.council().carryOut(ctx, k)
	s.syncReleases(ctx)
	return out, err
}

// Opine approves or vetoes a request. The zero key stands for this device, which has a
// say only where there are no guardians. It returns how many members keep the opinion.
func (s *Session) Opine(ctx context.Context, k Case, stance ledger.Stance, key ident.PrivateKey) (int, error) {
	return s.council().opine(ctx, k, stance, s.keyOr(key))
}

// Undo takes a case's certified releases back, and returns how many.
func (s *Session) Undo(ctx context.Context, k Case, key ident.PrivateKey) (int, error) {
	n, err := s.council().undo(ctx, k, s.keyOr(key))
	s.syncReleases(ctx)
	return n, err
}

func (s *Session) keyOr(key ident.PrivateKey) ident.PrivateKey {
	if key.IsZero() {
		return s.profile.Device
	}
	return key
}
