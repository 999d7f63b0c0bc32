package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Charters implements Reader.
func (m *Member) Charters(ctx context.Context, vault ident.CID) ([]ident.Signed, error) {
	list, err := m.askList(ctx, Charters, vaultRequest{Op: Charters, Vault: vault}, nil, chartersAnswer)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || list[0].CID() != vault {
		return nil, &rpc.PeerError{Peer: m.node, Verb: string(Charters), Err: fmt.Errorf("%w: another vault's charter", ErrLied)}
	}
	return list, nil
}

// Vaults implements Reader.
func (m *Member) Vaults(ctx context.Context, owner [ident.HashSize]byte) ([]ident.Signed, error) {
	return m.askList(ctx, Vaults, ownerRequest{Op: Vaults, Owner: owner}, nil, vaultsAnswer)
}

// Heads implements Reader.
func (m *Member) Heads(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	return m.askSigned(ctx, Heads, nonceRequest{Op: Heads, Vault: vault, Nonce: nonce}, nil, ledger.MaxHeads)
}

// Links implements Reader.
func (m *Member) Links(ctx context.Context, vault ident.CID, lane ident.PublicKey, from int64, limit int) ([][]byte, error) {
	limit = min(limit, MaxLinks)
	if from < 1 || limit < 1 {
		return nil, fmt.Errorf("ask for links: %w: %d from height %d", ErrBadRequest, limit, from)
	}
	var links [][]byte
	r := linksRequest{Op: Links, Vault: vault, Lane: lane, From: from, Limit: uint64(limit)}
	b := linksAnswer
	b.Count = limit
	err := m.ask(ctx, Links, r, nil, b, func(got [][]byte) error {
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

// Entry implements Reader.
func (m *Member) Entry(ctx context.Context, vault, entry ident.CID) ([]byte, error) {
	var p []byte
	r := nameRequest{Op: Entry, Vault: vault, Name: entry, Grant: m.grant}
	err := m.ask(ctx, Entry, r, nil, entryAnswer, func(got [][]byte) error {
		if len(got) != 1 {
			return fmt.Errorf("%w: no entry", ErrLied)
		}
		if l, err := ledger.ParseLink(got[0]); err != nil || l.Entry.CID() != entry {
			return fmt.Errorf("%w: another entry", ErrLied)
		}
		p = got[0]
		return nil
	})
	return p, err
}

// Body implements Reader.
func (m *Member) Body(ctx context.Context, vault, body ident.CID) ([]byte, error) {
	var p []byte
	r := nameRequest{Op: Body, Vault: vault, Name: body, Grant: m.grant}
	err := m.ask(ctx, Body, r, nil, bodyAnswer, func(got [][]byte) error {
		if len(got) != 1 || ident.SumDagCBOR(got[0]) != body {
			return fmt.Errorf("%w: another body", ErrLied)
		}
		p = got[0]
		return nil
	})
	return p, err
}
