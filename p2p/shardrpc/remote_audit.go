package shardrpc

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Audit implements Auditable.
func (h *remote) Audit(ctx context.Context, challenges []Challenge) ([]Outcome, error) {
	p, err := encodeChallenges(challenges)
	if err != nil {
		return nil, err
	}
	m := auditRequest{Op: opAudit, Parts: []uint64{uint64(len(p))}}
	var outcomes []Outcome
	err = h.ask(ctx, opAudit, func(c *rpc.Call) error {
		var a auditAnswer
		if err := c.Ask(refusals, m, &a, p); err != nil {
			return err
		}
		outcomes, err = readProofs(challenges, a.Outcomes, c.Raw())
		return c.Fault(err)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// readProofs reads the slices of an answer and judges them. Each is read to its end
// before it is judged, so that one that is wrong says nothing about the next.
func readProofs(challenges []Challenge, said []byte, r io.Reader) ([]Outcome, error) {
	if len(said) != len(challenges) {
		return nil, fmt.Errorf("%w: %d outcomes of %d challenges", rpc.ErrProtocol, len(said), len(challenges))
	}
	outcomes := make([]Outcome, len(said))
	for i, b := range said {
		o, err := parseOutcome(b)
		if err != nil {
			return nil, err
		}
		if outcomes[i] = o; o != Proved {
			continue
		}
		slice := challenges[i].slice()
		proof := make([]byte, slice.Len())
		if _, err := io.ReadFull(r, proof); err != nil {
			return nil, err
		}
		if slice.Verify(io.Discard, bytes.NewReader(proof)) != nil {
			outcomes[i] = Lied
		}
	}
	return outcomes, nil
}

// Inventory implements Auditable.
func (h *remote) Inventory(ctx context.Context, nonce Nonce) (ident.Signed, error) {
	var inventory ident.Signed
	err := h.ask(ctx, opInventory, func(c *rpc.Call) error {
		var a receiptAnswer
		if err := c.Ask(refusals, inventoryRequest{Op: opInventory, Nonce: nonce}, &a); err != nil {
			return err
		}
		parts, err := c.Parts(a.Parts, inventoryBounds)
		if err != nil {
			return err
		}
		if len(parts) != 1 || wire.Decode(parts[0], &inventory) != nil {
			return fmt.Errorf("%w: no signed inventory", rpc.ErrProtocol)
		}
		return nil
	})
	return inventory, err
}

var inventoryBounds = rpc.Bounds{Count: 1, Each: ledger.MaxInventory + signedRoom, Total: ledger.MaxInventory + signedRoom}

// InventoryBucket implements Auditable.
func (h *remote) InventoryBucket(ctx context.Context, bucket byte, after Ref) (shards []Ref, more bool, err error) {
	m := bucketRequest{Op: opBucket, Bucket: uint64(bucket)}
	if m.After, err = encodeAfter(after); err != nil {
		return nil, false, err
	}
	err = h.ask(ctx, opBucket, func(c *rpc.Call) error {
		var a bucketAnswer
		if err := c.Ask(refusals, m, &a); err != nil {
			return err
		}
		parts, err := c.Parts(a.Parts, bucketBounds)
		if err != nil {
			return err
		}
		more = a.More
		if shards, err = parseListed(bytes.Join(parts, nil), bucket, after); err != nil || more && len(shards) == 0 {
			return fmt.Errorf("%w: no page of a bucket", rpc.ErrProtocol)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return shards, more, nil
}
