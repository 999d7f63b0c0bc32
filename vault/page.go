package vault

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// takePage takes in links of one lane, in order, as a member hands them out or, with nil,
// as the cache has them. What a device has added is verified by the newest certificate
// among them and the hashes that lead down from it to the head that is known: members
// vote for nothing that does not follow what is decided. The certificates below are not
// looked at: all that they say besides is when, and that is for proveTime. The owner's
// lane, which decides whose the others are, is verified link by link; so is a page that
// does not hang together, as far as it does.
func (s *Session) takePage(ctx context.Context, lane ident.PublicKey, page [][]byte, from *ledger.Member) error {
	if lane != s.charter.Owner && len(page) > 1 {
		if links, err := s.verifyPage(lane, page); err == nil {
			for i, l := range links {
				s.history.add(l)
				if from != nil {
					s.history.keep(l.Entry, page[i])
				}
			}
			return nil
		}
	}
	for _, p := range page {
		if err := s.takeIn(ctx, p, from); err != nil {
			return err
		}
	}
	return nil
}

// verifyPage verifies the last link with its votes, and the others by its hashes. It adds
// nothing to the history.
func (s *Session) verifyPage(lane ident.PublicKey, page [][]byte) ([]Link, error) {
	if _, ok := s.history.grants[lane]; !ok {
		return nil, fmt.Errorf("%w: lane %s was never enrolled", ErrFork, lane.Short())
	}
	last := len(page) - 1
	top, err := s.verifyLink(page[last])
	if err != nil {
		return nil, err
	}
	links := make([]Link, len(page))
	links[last] = top
	for i := last - 1; i >= 0; i-- {
		if links[i], err = s.linkUnder(page[i], links[i+1].Entry); err != nil {
			return nil, err
		}
	}
	if links[0].Entry.Lane != lane {
		return nil, fmt.Errorf("%w: an entry of another lane", ErrFork)
	}
	return links, s.history.next(links[0].Entry)
}

// linkUnder reads the link whose entry is the one before an entry that is verified.
func (s *Session) linkUnder(encoded []byte, above ledger.Entry) (Link, error) {
	p, err := ledger.ParseLink(encoded)
	if err != nil {
		return Link{}, err
	}
	// SPEC: prev is the CID of the entry at height-1 in the same lane
	if p.Entry.CID() != above.Prev {
		return Link{}, fmt.Errorf("%w: entry %s does not follow at height %d", ErrFork, p.Entry.CID(), above.Height)
	}
	e, err := ledger.ParseEntry(p.Entry)
	if err != nil {
		return Link{}, err
	}
	if e.Vault != above.Vault || e.Lane != above.Lane || e.Height != above.Height-1 {
		return Link{}, fmt.Errorf("%w: entry %s is of another lane or height", ErrFork, e.CID())
	}
	return Link{CID: e.CID(), Entry: e}, s.chain.Allows(e)
}

// cachedPage returns the encoded links above the head of a lane, as many as a member
// would hand out.
func (h *history) cachedPage(lane ident.PublicKey) (page [][]byte) {
	for height := h.height(lane) + 1; len(page) < ledgerrpc.MaxLinks; height++ {
		p := h.cached(lane, height)
		if p == nil {
			break
		}
		page = append(page, p)
	}
	return page
}

// proveTime makes sure of a link's time: it verifies the votes of its certificate, that of
// the cache or of a member that has a good one. What is chosen by time, like the newest
// snapshot or what an expiry takes, asks for it first; a vault is opened without.
func (s *Session) proveTime(ctx context.Context, l *Link) error {
	if !l.Time.IsZero() {
		return nil
	}
	p, err := s.encodedLink(ctx, *l)
	if err != nil {
		return fmt.Errorf("time of entry %.8s: %w", l.CID.Hex(), err)
	}
	proved, err := s.verifyLink(p)
	if err != nil {
		return err
	}
	l.Time = proved.Time
	links := s.history.lanes[l.Entry.Lane]
	if at := l.Entry.Height - 1; at < int64(len(links)) && links[at].CID == l.CID {
		links[at].Time = l.Time
		s.history.unwritten++
	}
	return nil
}
