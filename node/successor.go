package node

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/p2p/ledgerrpc"
)

var _ ledgerrpc.Successor = (*ledgers)(nil)

// Key implements ledgerrpc.Successor.
func (l *ledgers) Key(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Key(vault, nonce) })
}

// Freeze implements ledgerrpc.Successor.
func (l *ledgers) Freeze(ctx context.Context, vault ident.CID, successor ident.Signed) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Freeze(vault, successor) })
}

// Successions implements ledgerrpc.Successor.
func (l *ledgers) Successions(ctx context.Context, vault ident.CID, from int64) (out [][]byte, err error) {
	err = l.use(ctx, func(p *parts) error {
		out, err = p.member.Successions(vault, from)
		return err
	})
	return out, err
}
