package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Audits implements Auditor.
func (m *Member) Audits(ctx context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	r := auditsRequest{Op: Audits, Vault: vault, Nonce: nonce, Node: node, Grant: m.grant}
	return m.askSigned(ctx, Audits, r, nil, ledger.MaxAuditReport)
}
