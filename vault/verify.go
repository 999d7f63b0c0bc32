package vault

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// readHistory takes in what the cache holds: what was summarized as it is, what came
// later as far as it hangs together.
func (s *Session) readHistory() {
	if err := s.readSummary(); err != nil {
		s.options.Log.Debug("history is verified from its beginning", "reason", err)
	}
	lanes := append([]ident.PublicKey{s.charter.Owner}, s.history.cachedLanes()...)
	for _, lane := range lanes {
		for {
			page := s.history.cachedPage(lane)
			if len(page) == 0 || s.takePage(context.Background(), lane, page, nil) != nil {
				break
			}
		}
	}
}

// takeIn verifies a link as it came from a member (or, with nil, from the cache) and
// adds it to the history: the lane's signature, its place behind the head, the
// device's enrolment, and the votes of a quorum.
func (s *Session) takeIn(ctx context.Context, encoded []byte, from *ledger.Member) error {
	l, err := s.verifyLink(encoded)
	if err != nil {
		return err
	}
	if err := s.history.next(l.Entry); err != nil {
		return err
	}
	if l.Entry.Lane == s.charter.Owner {
		if err := s.applyOwner(ctx, l, from); err != nil {
			return err
		}
	} else if _, ok := s.history.grants[l.Entry.Lane]; !ok {
		return fmt.Errorf("%w: lane %s was never enrolled", ErrFork, l.Entry.Lane.Short())
	}
	s.history.add(l)
	if from != nil {
		s.history.keep(l.Entry, encoded)
	}
	return nil
}

func (s *Session) verifyLink(encoded []byte) (Link, error) {
	link, err := ledger.ParseLink(encoded)
	if err != nil {
		return Link{}, err
	}
	if link.Cert.IsZero() {
		return Link{}, fmt.Errorf("%w: an entry without a certificate", ErrFork)
	}
	e, cert, err := s.chain.Verify(link)
	if err != nil {
		return Link{}, err
	}
	return Link{CID: e.CID(), Entry: e, Time: cert.Time()}, nil
}

// applyOwner reads an entry of the owner's lane: who is enrolled, who no more.
func (s *Session) applyOwner(ctx context.Context, l Link, from *ledger.Member) error {
	body, ok := s.history.body(l)
	if !ok {
		if from == nil {
			return fmt.Errorf("%w: the body is not in the cache", ErrNetwork)
		}
		p, err := s.member(*from).Body(ctx, s.vault, l.Entry.Body)
		if err != nil {
			return err
		}
		if ident.SumDagCBOR(p) != l.Entry.Body {
			return fmt.Errorf("%w: a body that the entry does not name", ErrFork)
		}
		body = p
		s.history.keepBody(l, p)
	}
	return s.applyBody(l, body)
}

func (s *Session) applyBody(l Link, body []byte) error {
	switch l.Entry.Kind {
	case ledger.KindEnrol:
		b, err := ledger.ParseEnrolBody(body)
		if err != nil {
			return err
		}
		g, err := ledger.VerifyGrant(b.Grant, s.charter.Owner, s.vault)
		if err != nil {
			return err
		}
		s.history.enrol(g, b.Grant)
		if g.Device == s.lane() && len(b.Sealed) > 0 {
			s.history.sealed = b.Sealed
		}
	case ledger.KindRevoke:
		b, err := ledger.ParseRevokeBody(body)
		if err != nil {
			return err
		}
		s.history.gone[b.Device] = true
	}
	return nil
}
