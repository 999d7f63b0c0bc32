package node

import (
	"context"
	"fmt"
	"log/slog"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// ledgers is what this node offers as a member of vaults: the backend of the ledger
// protocol. It keeps no vote of its own: package member does. While the volume is
// not there it refuses everything, because the votes' locks went with it.
type ledgers struct {
	volume   *volume
	released func(vault ident.CID)                                           // called when a release was certified, or taken back
	behind   func()                                                          // called when this member was shown what it cannot follow
	accepted func()                                                          // called when a new vault is kept
	operator func(ctx context.Context, peer ident.PublicKey) ident.PublicKey // whose node a peer is; zero for none
	orders   *orders
	stamp    stamp
	log      *slog.Logger
}

var (
	_ ledgerrpc.Reader  = (*ledgers)(nil)
	_ ledgerrpc.Voter   = (*ledgers)(nil)
	_ ledgerrpc.Witness = (*ledgers)(nil)
	_ ledgerrpc.Placer  = (*ledgers)(nil)
)

// admit judges a request before its parts are read.
//
// SPEC: charters, entries and heads are for everybody who names the vault; bodies are
// for the charter's devices, members and holders, and for whoever proves the owner
// key. Who signs with it a grant for himself has proved it. Requests, opinions and what
// follows from them are signed, and for everybody; the arithmetic of what is free is
// work, and is for those whom the vault knows.
func (l *ledgers) admit(ctx context.Context, r ledgerrpc.Request) error {
	return l.use(ctx, func(p *parts) error {
		switch r.Verb {
		case ledgerrpc.Entry, ledgerrpc.Body, ledgerrpc.Propose, ledgerrpc.Adopt, ledgerrpc.Place, ledgerrpc.Placements,
			ledgerrpc.Free, ledgerrpc.Consent, ledgerrpc.Moves, ledgerrpc.Placed, ledgerrpc.Audits, ledgerrpc.Holding:
			return l.known(ctx, p, r)
		}
		return nil
	})
}

// known lets in whom the vault's owner or charter names.
func (l *ledgers) known(ctx context.Context, p *parts, r ledgerrpc.Request) error {
	charter, err := p.charter(r.Vault)
	if err != nil {
		return err
	}
	if !r.Grant.IsZero() {
		return l.device(p, charter, r)
	}
	if _, ok := charter.MemberByNode(r.Peer); ok {
		return nil
	}
	if o := l.operator(ctx, r.Peer); !o.IsZero() && charter.Admits(o) {
		return nil
	}
	return fmt.Errorf("%w: neither a device nor a node of this vault", ledger.ErrForbidden)
}

func (l *ledgers) device(p *parts, charter ledger.Charter, r ledgerrpc.Request) error {
	grant, err := ledger.VerifyGrant(r.Grant, charter.Owner, charter.ID())
	switch {
	case err != nil:
		return fmt.Errorf("%w: the grant does not verify", ledger.ErrForbidden)
	case grant.Device != r.Peer:
		return fmt.Errorf("%w: the grant is another device's", ledger.ErrForbidden)
	case grant.ValidAt(l.stamp.now()) != nil:
		return fmt.Errorf("%w: the grant has expired", ledger.ErrForbidden)
	case p.member.Revoked(r.Vault, r.Peer):
		return ledger.ErrRevoked
	}
	return nil
}
