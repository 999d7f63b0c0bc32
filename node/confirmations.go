package node

import (
	"context"
	"errors"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Confirm implements ledgerrpc.Docket.
func (l *ledgers) Confirm(ctx context.Context, vault ident.CID, confirmation ident.Signed) error {
	return l.use(ctx, func(p *parts) error { return p.member.Confirm(vault, confirmation) })
}

// Confirmations implements ledgerrpc.Docket.
func (l *ledgers) Confirmations(ctx context.Context, vault ident.CID) (out []ident.Signed, err error) {
	err = l.use(ctx, func(p *parts) error {
		out, err = p.member.Confirmations(vault)
		return err
	})
	return out, err
}

// confirmer shows what guardians have confirmed.
type confirmer interface {
	Confirmations(ctx context.Context, vault ident.CID) ([]ident.Signed, error)
}

// confirmations takes what a member has of what guardians have confirmed. What does not
// count here, or is older, is passed over.
func (t *trip) confirmations(ctx context.Context, charter ledger.Charter, m ledger.Member) error {
	if len(charter.Guardians) == 0 {
		return nil
	}
	list, err := ask(ctx, func(ctx context.Context) ([]ident.Signed, error) { return t.at(m.Node).Confirmations(ctx, t.vault) })
	for _, c := range list {
		taken := t.volume.use(ctx, func(p *parts) error { return p.member.Confirm(t.vault, c) })
		if taken != nil && !errors.Is(taken, ledger.ErrSuperseded) {
			t.log.Debug("a confirmation is not taken", "vault", t.vault.String(), "member", m.Name, "reason", taken)
		}
	}
	return err
}
