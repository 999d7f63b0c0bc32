package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

// This file holds the rule by which a holder knows that a segment is in a certified
// entry, before it takes a shard of it from a steward.
//
// SPEC: the holder looks in its own ledger if it is a member; else f+1 members say that
// it is certified.

// certifier knows which segments are certified, and asks about others.
type certifier struct {
	witnesses witnesses
	log       *slog.Logger

	mu    sync.Mutex
	known map[segmentOf]struct{} // as members have said
}

type segmentOf struct{ vault, segment ident.CID }

// maxCertified is how many segments a certifier remembers. What is forgotten is asked
// for again.
const maxCertified = 1 << 16

// certified returns nil if all these segments are in certified entries, as far as this
// node's own ledger says, or f+1 members of the charter.
func (c *certifier) certified(ctx context.Context, p *parts, charter ledger.Charter, segments []ident.CID) error {
	segments = slices.Clone(segments)
	slices.SortFunc(segments, ident.CID.Compare)
	unsure := slices.DeleteFunc(slices.Compact(segments), func(s ident.CID) bool {
		in, err := p.member.Introduced(charter.ID(), s)
		return err == nil && in.State == ledger.SegmentCertified || c.remembers(charter.ID(), s)
	})
	for some := range slices.Chunk(unsure, ledger.MaxStates) {
		if err := c.ask(ctx, charter, some); err != nil {
			return err
		}
	}
	return nil
}

// ask asks all members about segments that this node does not know.
func (c *certifier) ask(ctx context.Context, charter ledger.Charter, segments []ident.CID) error {
	verdicts, err := askSegments(ctx, c.witnesses, c.log, charter, segments)
	if err != nil {
		return fmt.Errorf("%w: whether the segment is certified: %w", rpc.ErrBusy, err)
	}
	for _, s := range segments {
		// One honest member at least is among so many.
		if n := verdicts[s].certified; n <= charter.Faults() {
			return fmt.Errorf("%w: segment %v is in no certified entry, %d members say it is", shardrpc.ErrForbidden, s, n)
		}
	}
	c.remember(charter.ID(), segments)
	return nil
}

func (c *certifier) remembers(vault, segment ident.CID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.known[segmentOf{vault, segment}]
	return ok
}

func (c *certifier) remember(vault ident.CID, segments []ident.CID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[segmentOf]struct{}{}
	}
	if len(c.known)+len(segments) > maxCertified {
		maps.DeleteFunc(c.known, func(segmentOf, struct{}) bool { return true })
	}
	for _, s := range segments {
		c.known[segmentOf{vault, s}] = struct{}{}
	}
}
