package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Key implements Successor.
func (m *Member) Key(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	return m.askSigned(ctx, Key, keyRequest{Op: Key, Vault: vault, Nonce: nonce}, nil, ledger.MaxSmall)
}

// Freeze implements Successor.
func (m *Member) Freeze(ctx context.Context, vault ident.CID, successor ident.Signed) (ident.Signed, error) {
	parts, err := encodeSigned(successor)
	if err == nil {
		err = checkLength(parts, maxCharter)
	}
	if err != nil {
		return ident.Signed{}, err
	}
	return m.askSigned(ctx, Freeze, m.vaultRequest(Freeze, vault, parts), parts, ledger.MaxFreeze)
}

// Successions implements Successor.
func (m *Member) Successions(ctx context.Context, vault ident.CID, from int64) ([][]byte, error) {
	if from < 2 {
		return nil, fmt.Errorf("ask for successions: %w: from charter %d", ErrBadRequest, from)
	}
	var links [][]byte
	r := successionsRequest{Op: Successions, Vault: vault, From: from}
	err := m.ask(ctx, Successions, r, nil, successionsAnswer, func(got [][]byte) error {
		for _, p := range got {
			if err := wire.Validate(p); err != nil {
				return fmt.Errorf("%w: %w", rpc.ErrProtocol, err)
			}
		}
		links = got
		return nil
	})
	return links, err
}
