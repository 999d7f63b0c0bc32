package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Moves implements Placer.
func (m *Member) Moves(ctx context.Context, vault ident.CID, from ledger.MovesCursor) (list []Placement, next ledger.MovesCursor, err error) {
	r := movesRequest{Op: Moves, Vault: vault, From: from.Next, Store: from.Store, Grant: m.grant}
	err = m.pool.Do(ctx, func(c *rpc.Call) error {
		var a movesAnswer
		if err := c.Ask(refusals, r, &a); err != nil {
			return err
		}
		got, err := c.Parts(a.Parts, movesBounds)
		if err != nil {
			return err
		}
		if list, err = readPlacements(got); err != nil {
			return err
		}
		// A cursor that stands still would be asked for without end.
		next = ledger.MovesCursor{Store: a.Store, Next: a.Next}
		if len(list) > 0 && next.Store == from.Store && next.Next <= from.Next {
			return fmt.Errorf("%w: the cursor does not go on", rpc.ErrProtocol)
		}
		c.Settle()
		return nil
	})
	if err != nil {
		return nil, from, &rpc.PeerError{Peer: m.node, Verb: string(Moves), Err: err}
	}
	return list, next, nil
}

// readPlacements reads pairs of a receipt and a certificate.
func readPlacements(parts [][]byte) ([]Placement, error) {
	list, err := readSigned(parts)
	if err != nil {
		return nil, err
	}
	if len(list)%2 != 0 {
		return nil, fmt.Errorf("%w: a receipt without a certificate", rpc.ErrProtocol)
	}
	var placements []Placement
	for i := 0; i < len(list); i += 2 {
		placements = append(placements, Placement{list[i], list[i+1]})
	}
	return placements, nil
}

// Placed implements Placer.
func (m *Member) Placed(ctx context.Context, vault ident.CID, nonce [16]byte, shards []ledger.ShardName) (ident.Signed, error) {
	if len(shards) == 0 || len(shards) > ledger.MaxNames {
		return ident.Signed{}, fmt.Errorf("ask who holds shards: %w: %d of them", ErrBadRequest, len(shards))
	}
	p, err := encodeShards(shards)
	if err != nil {
		return ident.Signed{}, err
	}
	parts := [][]byte{p}
	r := placedRequest{Op: Placed, Vault: vault, Nonce: nonce, Grant: m.grant, Parts: rpc.Lengths(parts)}
	return m.askSigned(ctx, Placed, r, parts, ledger.MaxPlaced)
}
