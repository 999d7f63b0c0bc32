package node

import (
	"context"
	"errors"
	"slices"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/member"
	"holdfast/p2p/ledgerrpc"
)

// Bounds of one run with one member. What is left comes with the next, which does not
// begin sooner for it: what a member tells need have no end.
const (
	movesPages    = 16
	movesPatience = 6 // runs until what cannot be taken in is passed over
)

// moves takes what a member knows of where shards have moved since it was last asked. How
// far that was is kept with what was taken, so that both are lost together.
func (t *trip) moves(ctx context.Context, _ ledger.Charter, m ledger.Member) error {
	at := pullCursor{t.vault, m.Operator}
	from, err := t.pulled(ctx, m)
	for range movesPages {
		if err != nil {
			return err
		}
		page, err := ask(ctx, func(ctx context.Context) (p movesPage, err error) {
			p.list, p.next, err = t.at(m.Node).Moves(ctx, t.vault, from)
			return p, err
		})
		if err != nil || len(page.list) == 0 {
			return err
		}
		if err := t.takeMoves(ctx, at, page.list); err != nil {
			return err
		}
		if err := t.setPulled(ctx, m, page.next); err != nil {
			return err
		}
		from = page.next
	}
	return nil
}

func (t *trip) pulled(ctx context.Context, m ledger.Member) (at ledger.MovesCursor, err error) {
	err = t.volume.use(ctx, func(p *parts) error {
		at, err = p.member.Pulled(t.vault, m.Operator)
		return err
	})
	return at, err
}

func (t *trip) setPulled(ctx context.Context, m ledger.Member, at ledger.MovesCursor) error {
	return t.volume.use(ctx, func(p *parts) error { return p.member.SetPulled(t.vault, m.Operator, at) })
}

type movesPage struct {
	list []ledgerrpc.Placement
	next ledger.MovesCursor
}

// takeMoves takes a page in. What is not valid is passed over. What may become so, because
// its segment or charter is not here yet, ends the run, and is asked for again in the next
// ones: but not for ever, because the member may have what nobody else has.
func (t *trip) takeMoves(ctx context.Context, at pullCursor, list []ledgerrpc.Placement) error {
	for _, pl := range list {
		err := t.volume.use(ctx, func(p *parts) error {
			if err := p.member.AdoptPlacement(t.vault, ledger.Placement{V: 1, Receipt: pl.Receipt, Cert: pl.Certificate}); err != nil {
				return err
			}
			return p.promised(t.vault, pl)
		})
		if err == nil {
			continue
		}
		early := errors.Is(err, ledger.ErrCharter) || errors.Is(err, member.ErrNotYet)
		if early && t.wait(at) || !early && !worthless(err) {
			return err
		}
		t.log.Debug("a later placement is not taken", "vault", t.vault.String(), "receipt", pl.Receipt.CID().String(), "reason", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waits, at)
	return nil
}

// worthless reports whether an error is about what was sent, and not about this node.
func worthless(err error) bool {
	return slices.ContainsFunc([]error{
		ledger.ErrInvalid, ledger.ErrMismatch, ledger.ErrVersion, ledger.ErrTooLarge, ledger.ErrExpired, ledger.ErrHolder,
		ledger.ErrReceipt, ident.ErrSignature, wire.ErrMalformed,
	}, func(known error) bool { return errors.Is(err, known) })
}

// wait reports whether a member's page is asked for again before it is passed over.
func (t *trip) wait(at pullCursor) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waits[at]++
	return t.waits[at] < movesPatience
}
