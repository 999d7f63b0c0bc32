package vault

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// lockedEntry fetches an entry that a member has locked, with its body: what this
// device signed in a run that was interrupted.
func (s *Session) lockedEntry(ctx context.Context, m ledger.Member, entry ident.CID) (ledger.Link, error) {
	p, err := s.member(m).Entry(ctx, s.vault, entry)
	if err != nil {
		return ledger.Link{}, err
	}
	link, err := ledger.ParseLink(p)
	if err != nil {
		return link, err
	}
	e, err := ledger.VerifyEntry(link.Entry)
	if err != nil {
		return link, err
	}
	if e.CID() != entry || e.Vault != s.vault {
		return link, fmt.Errorf("locked entry: %w", ErrFork)
	}
	link.Body, err = s.member(m).Body(ctx, s.vault, e.Body)
	return link, err
}
