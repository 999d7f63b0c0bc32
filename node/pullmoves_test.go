package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
)

// movingPeer counts the later placements that it has shown, and shows others first if it
// has any.
type movingPeer struct {
	peer
	shown *int
	first []ledgerrpc.Placement
}

func (p movingPeer) Moves(ctx context.Context, vault ident.CID, from ledger.MovesCursor) ([]ledgerrpc.Placement, ledger.MovesCursor, error) {
	if len(p.first) > 0 {
		if from.Next < int64(len(p.first)) {
			*p.shown++
			return p.first[from.Next : from.Next+1], ledger.MovesCursor{Store: [8]byte{1}, Next: from.Next + 1}, nil
		}
		return nil, from, nil
	}
	list, next, err := p.peer.Moves(ctx, vault, from)
	*p.shown += len(list)
	return list, next, err
}

// move is a later receipt of a member for shard 0 of every segment of a snapshot.
func (c *couple) move(s ledgertest.Step, m int) ledgerrpc.Placement {
	c.t.Helper()
	effect, err := ledger.ReadEffect(c.there.vault.Charter, s.Entry, s.Body)
	must(c.t, err)
	holder, when := c.there.vault.Members[m], c.there.clock.now()
	r := ledger.Receipt{
		Vault: c.there.vault.ID(), Charter: c.there.vault.ID(), Device: holder.Node.Public(), Node: holder.Node.Public(),
		Time: ledger.Millis(when), Until: ledger.Millis(when.Add(8 * 24 * time.Hour)),
	}
	for _, seg := range effect.Segments {
		r.Shards = append(r.Shards, ledger.ReceiptShard{Segment: seg.CID, Shard: seg.Descriptor.Shards[0]})
	}
	receipt, err := ledger.SignReceipt(holder.Vote, r)
	must(c.t, err)
	return ledgerrpc.Placement{Receipt: receipt, Certificate: holder.Certificate}
}

// moved are the names of the later placements that a member has of a snapshot.
func (c *couple) moved(b *bench, s ledgertest.Step) (names []ident.CID) {
	c.t.Helper()
	effect, err := ledger.ReadEffect(b.vault.Charter, s.Entry, s.Body)
	must(c.t, err)
	for _, seg := range effect.Segments {
		list, err := b.parts().member.Placements(b.vault.ID(), seg.CID)
		must(c.t, err)
		for _, l := range list {
			names = append(names, l.Receipt.CID())
		}
	}
	return names
}

// A member that was away learns where shards have moved, even when nobody would take the
// receipts any more as new, and is told nothing twice.
func TestCatchUpWithMoves(t *testing.T) {
	c := newCouple(t)
	shown := 0
	c.peer = movingPeer{peer: c.there.ledgers, shown: &shown}
	step := c.lane.Snapshot("one", 2)
	c.adopt(c.there, c.lane, step)
	healed := c.away.parts().board
	for _, s := range step.Segments() {
		must(t, healed.Lost(c.there.vault.ID(), c.there.vault.Members[3].Node.Public(), custody.Shard{Segment: s}))
	}
	c.there.clock.advance(time.Minute)
	for _, m := range []int{1, 2, 3} {
		must(t, c.there.ledgers.AddPlacement(t.Context(), c.there.vault.ID(), c.move(step, m)))
	}
	c.away.clock.advance(9 * 24 * time.Hour)
	for range 2 {
		must(t, c.puller.run(t.Context()))
		if want := c.moved(c.there, step); len(want) != 6 || !slices.Equal(c.moved(c.away, step), want) {
			t.Errorf("%v, not %v", c.moved(c.away, step), want)
		}
	}
	if shown != 3 {
		t.Errorf("%d placements were shown", shown)
	}
	// Who has given a receipt since has what it was found not to have.
	for s := range healed.Missing(c.there.vault.ID()) {
		t.Errorf("%+v is still missing", s)
	}
}

// What is of a segment that is not here yet is asked for again, but not for ever; what is
// forged is passed over at once.
func TestCatchUpWithMovesOfLiars(t *testing.T) {
	c := newCouple(t)
	step := c.lane.Snapshot("one", 1)
	c.adopt(c.there, c.lane, step)
	early, forged, good := c.move(c.lane.Snapshot("nobody has it", 1), 1), c.move(step, 2), c.move(step, 3)
	forged.Certificate = good.Certificate
	shown := 0
	c.peer = movingPeer{peer: c.there.ledgers, shown: &shown, first: []ledgerrpc.Placement{forged, early, good}}
	for run := 1; run < movesPatience; run++ {
		must(t, c.puller.run(t.Context()))
		if got := c.moved(c.away, step); len(got) != 0 || shown != run+1 {
			t.Fatalf("run %d: %v, %d shown", run, got, shown)
		}
	}
	must(t, c.puller.run(t.Context()))
	if got := c.moved(c.away, step); len(got) != 1 || got[0] != good.Receipt.CID() {
		t.Errorf("%v in the end", got)
	}
}
