package vault

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// A head that was certified and not final may lose its place to another entry, which
// was certified at a later attempt. A reader that has seen the one goes over to the
// other. Two certificates at one attempt are a fork, and an alarm.

// follow goes over to the heads that members have at the heights of this machine's.
func (s *Session) follow(ctx context.Context, answers []answer[ledger.Heads]) error {
	for _, a := range answers {
		if a.Err != nil {
			continue
		}
		for _, l := range a.Value.Lanes {
			if s.agrees(l) {
				continue
			}
			if err := s.replaceHead(ctx, a.Member, l.Lane); err != nil && (ctx.Err() != nil || errors.Is(err, errTwoCertificates)) {
				return err
			}
		}
	}
	return nil
}

// agrees reports whether a member's head of a lane is no other entry than the one that
// stands at its height here.
func (s *Session) agrees(l ledger.LaneHead) bool {
	here := s.history.lanes[l.Lane]
	return l.Height < 1 || l.Height > int64(len(here)) || here[l.Height-1].CID == l.Entry
}

// errTwoCertificates says that more members than may lie have signed two entries at one
// place.
var errTwoCertificates = fmt.Errorf("%w: two certificates at one place", ErrFork)

// replaceHead asks a member for the entry at the height of a lane's head, and goes over
// to it if its certificate is of a later attempt.
func (s *Session) replaceHead(ctx context.Context, m ledger.Member, lane ident.PublicKey) error {
	head, ok := s.history.head(lane)
	if !ok {
		return nil
	}
	links, err := s.member(m).Links(ctx, s.vault, lane, head.Entry.Height, 1)
	if err != nil || len(links) != 1 {
		return err
	}
	other, err := s.verifyLink(links[0])
	if err != nil || other.CID == head.CID || other.Entry.Prev != head.Entry.Prev || other.Entry.Height != head.Entry.Height {
		return err
	}
	mine, err := s.encodedLink(ctx, head)
	if err != nil {
		return err
	}
	switch was, is := attemptOf(mine), attemptOf(links[0]); {
	case is == was:
		return fmt.Errorf("lane %s at height %d: %w", lane.Short(), head.Entry.Height, errTwoCertificates)
	case is < was:
		return nil
	}
	s.warn("entry %.8s was certified and never final; entry %.8s has taken its place", head.CID.Hex(), other.CID.Hex())
	if err := s.cut(ctx, lane, head.Entry.Height-1); err != nil {
		return err
	}
	return s.takeIn(ctx, links[0], &m)
}

// attemptOf returns the attempt of the certificate in a link that was verified.
func attemptOf(encoded []byte) int64 {
	l, err := ledger.ParseLink(encoded)
	if err != nil {
		return 0
	}
	c, err := ledger.ParseCertificate(l.Cert)
	if err != nil {
		return 0
	}
	return c.Attempt
}
