package node

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

var (
	_ ledgerrpc.Auditor = (*ledgers)(nil)
	_ ledgerrpc.Counter = (*ledgers)(nil)
)

// Held implements ledgerrpc.Counter.
func (l *ledgers) Held(ctx context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Held(vault, nonce, node) })
}

// Audits implements ledgerrpc.Auditor.
func (l *ledgers) Audits(ctx context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) {
		var all []ledger.HolderReport
		for _, h := range p.board.Holders(vault) {
			if (node.IsZero() || h.Node == node) && len(all) < ledger.MaxReported {
				all = append(all, h.Report())
			}
		}
		return p.member.AuditReport(vault, nonce, all)
	})
}
