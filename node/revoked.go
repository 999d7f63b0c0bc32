package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// revocations is how a holder that is no member of a vault learns which devices were
// revoked: it reads the owner's lane, as its members have certified it. A member needs
// none of this. It believes nobody, and one honest member that answers is enough; until
// it has asked, it serves a device that was revoked meanwhile.
type revocations struct {
	volume   *volume
	charters *charters
	at       func(node ident.PublicKey) peer
	log      *slog.Logger
	loop     *bg.Loop
}

const (
	revokedEvery   = 10 * time.Minute
	revokedEntries = 4096 // of one vault in one run
)

// start makes the loop of one whose other fields are filled in.
func (r *revocations) start() *revocations {
	r.loop = bg.NewLoop("learn of revocations", revokedEvery, r.run, bg.AtOnce(), bg.Jitter(time.Minute), bg.Log(r.log))
	return r
}

// run reads on in every vault that has shards here and no ledger.
func (r *revocations) run(ctx context.Context) error {
	var vaults []ident.CID
	err := r.volume.use(ctx, func(p *parts) error {
		members := p.member.All()
		for v := range p.book.vaultUsage() {
			if !slices.Contains(members, v) {
				vaults = append(vaults, v)
			}
		}
		return nil
	})
	if err != nil {
		return nil // a paused volume: it is read on when it is back
	}
	for _, v := range vaults {
		if err := r.follow(ctx, v); err != nil {
			r.log.Debug("not all revocations are known", "vault", v.String(), "reason", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// follow reads on in one vault, from every member that answers.
func (r *revocations) follow(ctx context.Context, vault ident.CID) error {
	chain, err := r.charters.newest(ctx, vault)
	if err != nil {
		return err
	}
	var failed error
	for _, m := range chain.Current().Members {
		failed = errors.Join(failed, r.from(ctx, chain, m))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

// from reads on with one member, or, where an entry has been replaced that was not
// final, all over again. Only what goes further than what is known takes its place.
func (r *revocations) from(ctx context.Context, chain ledger.Chain, m ledger.Member) error {
	known, err := r.known(ctx, chain.ID())
	if err != nil {
		return err
	}
	next, err := r.readOn(ctx, chain, m, known)
	if errors.Is(err, ledger.ErrFork) {
		next, err = r.readOn(ctx, chain, m, ownerLane{})
	}
	if next.Height > known.Height {
		err = errors.Join(err, r.keep(ctx, chain.ID(), next))
	}
	return err
}

// readOn returns how far a member's entries lead, with the error that ended it.
func (r *revocations) readOn(ctx context.Context, chain ledger.Chain, m ledger.Member, o ownerLane) (ownerLane, error) {
	owner := chain.Current().Owner
	for range revokedEntries / pullPage {
		links, err := ask(ctx, func(ctx context.Context) ([][]byte, error) {
			return r.at(m.Node).Links(ctx, chain.ID(), owner, o.Height+1, pullPage)
		})
		if err != nil || len(links) == 0 {
			return o, err
		}
		for _, encoded := range links {
			next, err := r.read(ctx, chain, m, o, encoded)
			if err != nil {
				return o, err
			}
			o = next
		}
	}
	return o, nil
}

// read takes one certified entry in.
func (r *revocations) read(ctx context.Context, chain ledger.Chain, m ledger.Member, o ownerLane, encoded []byte) (ownerLane, error) {
	l, err := ledger.ParseLink(encoded)
	if err != nil {
		return o, err
	}
	if l.Cert.IsZero() {
		return o, fmt.Errorf("entry of the owner's lane: %w", ledger.ErrNoQuorum)
	}
	e, _, err := chain.Verify(l)
	switch {
	case err != nil:
		return o, err
	case e.Lane != chain.Current().Owner || e.Height != o.Height+1 || e.Prev != o.Entry:
		return o, fmt.Errorf("entry %s: %w", e.CID(), ledger.ErrFork)
	}
	o.Height, o.Entry = e.Height, e.CID()
	if e.Kind != ledger.KindRevoke {
		return o, nil
	}
	body, err := ask(ctx, func(ctx context.Context) ([]byte, error) { return r.at(m.Node).Body(ctx, chain.ID(), e.Body) })
	if err != nil {
		return o, err
	}
	if ident.SumDagCBOR(body) != e.Body {
		return o, fmt.Errorf("entry %s: %w", e.CID(), ledger.ErrBody)
	}
	b, err := ledger.ParseRevokeBody(body)
	if err == nil {
		o.Revoked = append(slices.Clone(o.Revoked), b.Device)
	}
	return o, err
}

func (r *revocations) known(ctx context.Context, vault ident.CID) (o ownerLane, err error) {
	err = r.volume.use(ctx, func(p *parts) error {
		o, err = p.book.ownerLane(vault)
		return err
	})
	return o, err
}

func (r *revocations) keep(ctx context.Context, vault ident.CID, o ownerLane) error {
	return r.volume.use(ctx, func(p *parts) error { return p.book.keepOwnerLane(vault, o) })
}
