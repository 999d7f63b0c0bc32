package vault

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// lockedEntry fetches an entry that a member has locked, with its body.
func (s *Session) lockedEntry(ctx context.Context, m ledger.Member, entry ident.CID) (ledger.Link, error) {
	return ledger.Link{}, ledgerrpc.ErrNotFound
}
