package node

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// This file is what a member offers about requests and releases. What comes is signed
// by whom it is of, so everybody may bring it: guardians have no device in the vault.
// What members must not be made to work for by strangers, is for those whom the vault
// knows: see ledgers.admit.

var (
	_ ledgerrpc.Docket   = (*ledgers)(nil)
	_ ledgerrpc.Releaser = (*ledgers)(nil)
	_ ledgerrpc.Undoer   = (*ledgers)(nil)
)

// Request implements ledgerrpc.Docket.
func (l *ledgers) Request(ctx context.Context, vault ident.CID, request, successor ident.Signed) error {
	return l.use(ctx, func(p *parts) error { return p.member.Request(vault, request, successor) })
}

// Opine implements ledgerrpc.Docket.
func (l *ledgers) Opine(ctx context.Context, vault ident.CID, stance ledger.Stance, opinion ident.Signed) error {
	return l.use(ctx, func(p *parts) error { return p.member.Opine(vault, stance, opinion) })
}

// Cases implements ledgerrpc.Docket.
func (l *ledgers) Cases(ctx context.Context, vault, after ident.CID) (out [][]byte, err error) {
	err = l.use(ctx, func(p *parts) error {
		out, err = p.member.Cases(vault, after)
		return err
	})
	return out, err
}

// Free implements ledgerrpc.Releaser.
func (l *ledgers) Free(ctx context.Context, vault, request, after ident.CID) (segments []ident.CID, more bool, err error) {
	err = l.use(ctx, func(p *parts) error {
		segments, more, err = p.member.Free(vault, request, after)
		return err
	})
	return segments, more, err
}

// Consent implements ledgerrpc.Releaser.
func (l *ledgers) Consent(ctx context.Context, vault ident.CID, release []byte) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Consent(vault, release) })
}

// Release implements ledgerrpc.Releaser.
func (l *ledgers) Release(ctx context.Context, vault ident.CID, certificate []byte) error {
	err := l.use(ctx, func(p *parts) error { return p.member.Release(vault, certificate) })
	if err == nil {
		l.released(vault)
	}
	return err
}

// Released implements ledgerrpc.Releaser.
func (l *ledgers) Released(ctx context.Context, vault ident.CID, from int64, limit int) (out [][]byte, err error) {
	err = l.use(ctx, func(p *parts) error {
		list, err := p.member.Released(vault, from, limit)
		if err != nil {
			return err
		}
		for _, r := range list {
			encoded, err := r.Encode()
			if err != nil {
				return err
			}
			out = append(out, encoded)
		}
		return nil
	})
	return out, err
}

// Undo implements ledgerrpc.Undoer.
func (l *ledgers) Undo(ctx context.Context, vault ident.CID, undo ident.Signed) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Undo(vault, undo) })
}

// Undone implements ledgerrpc.Undoer.
func (l *ledgers) Undone(ctx context.Context, vault ident.CID, certificate []byte) error {
	err := l.use(ctx, func(p *parts) error { return p.member.Undone(vault, certificate) })
	if err == nil {
		l.released(vault)
	}
	return err
}

// Standing implements ledgerrpc.Undoer.
func (l *ledgers) Standing(ctx context.Context, vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Standing(vault, nonce, releases) })
}
