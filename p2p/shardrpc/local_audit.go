package shardrpc

import (
	"bytes"
	"context"
	"fmt"

	"holdfast/internal/ident"
)

// Audit implements Auditable.
func (h *local) Audit(ctx context.Context, challenges []Challenge) ([]Outcome, error) {
	p, err := encodeChallenges(challenges)
	if err != nil {
		return nil, err
	}
	rows, err := parseChallenges(p)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	said, proofs, err := prove(ctx, h.session, rows)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return readProofs(challenges, said, bytes.NewReader(proofs))
}

// Inventory implements Auditable.
func (h *local) Inventory(ctx context.Context, nonce Nonce) (ident.Signed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session.Inventory(ctx, nonce)
}

// InventoryBucket implements Auditable.
func (h *local) InventoryBucket(ctx context.Context, bucket byte, after Ref) ([]Ref, bool, error) {
	if _, err := encodeAfter(after); err != nil {
		return nil, false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session.InventoryBucket(ctx, bucket, after)
}
