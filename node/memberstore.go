package node

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/member"
	"holdfast/p2p/ledgerrpc"
	"holdfast/store"
)

// use is volume.use in the words of the ledger protocol.
func (l *ledgers) use(ctx context.Context, f func(p *parts) error) error {
	err := l.volume.use(ctx, f)
	if errors.Is(err, ledger.ErrBehind) {
		l.behind()
	}
	return refusal(err)
}

// refusal turns what the store of a member says into what the protocol knows.
func refusal(err error) error {
	var at *member.StateError
	if errors.As(err, &at) {
		return &ledgerrpc.HeadError{
			Err: translate(at.Err), Height: at.Head.Height, Entry: at.Head.Entry, Lock: at.Head.Lock, Floor: at.Head.Floor,
		}
	}
	return translate(err)
}

// translate finds the protocol's name for an error; package ledger's are the
// protocol's own.
func translate(err error) error {
	for _, pair := range [][2]error{
		{store.ErrPaused, ledgerrpc.ErrPaused},
		{member.ErrGone, ledgerrpc.ErrPaused},
		{member.ErrForgotten, ledgerrpc.ErrForgotten},
		{member.ErrUnknownVault, ledgerrpc.ErrUnknownVault},
		{member.ErrUnknownEntry, ledgerrpc.ErrUnknownEntry},
		{member.ErrLocked, ledgerrpc.ErrLocked},
		{member.ErrFull, ledgerrpc.ErrFull},
		{member.ErrCorrupt, ledgerrpc.ErrCorrupt},
	} {
		if errors.Is(err, pair[0]) {
			return fmt.Errorf("%w (%w)", pair[1], err)
		}
	}
	return err
}

// charter returns the charter of a vault of which this node is a member.
func (p *parts) charter(vault ident.CID) (ledger.Charter, error) {
	return p.member.Charter(vault)
}

// Charters implements ledgerrpc.Reader.
func (l *ledgers) Charters(ctx context.Context, vault ident.CID) (out []ident.Signed, err error) {
	err = l.use(ctx, func(p *parts) error {
		out, err = p.member.Charters(vault)
		return err
	})
	return out, err
}

// Vaults implements ledgerrpc.Reader.
func (l *ledgers) Vaults(ctx context.Context, owner [ident.HashSize]byte) (out []ident.Signed, err error) {
	err = l.use(ctx, func(p *parts) error {
		out = p.member.Vaults(owner)
		return nil
	})
	return out, err
}

// Heads implements ledgerrpc.Reader.
func (l *ledgers) Heads(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Heads(vault, nonce) })
}

// signed gives out what the member's store has signed, if the volume is still there
// then: a word that was kept on a volume that is gone was not kept.
func (l *ledgers) signed(ctx context.Context, f func(p *parts) (ident.Signed, error)) (ident.Signed, error) {
	var s ident.Signed
	err := l.use(ctx, func(p *parts) (err error) {
		s, err = f(p)
		return err
	})
	if err != nil {
		return ident.Signed{}, err
	}
	return s, nil
}

// Links implements ledgerrpc.Reader.
func (l *ledgers) Links(ctx context.Context, vault ident.CID, lane ident.PublicKey, from int64, limit int) (out [][]byte, err error) {
	err = l.use(ctx, func(p *parts) error {
		out, err = p.member.Links(vault, lane, from, limit)
		return err
	})
	return out, err
}

// Entry implements ledgerrpc.Reader.
func (l *ledgers) Entry(ctx context.Context, vault, entry ident.CID) (out []byte, err error) {
	err = l.use(ctx, func(p *parts) error {
		link, err := p.member.Entry(vault, entry)
		if errors.Is(err, member.ErrUnknownEntry) {
			return fmt.Errorf("%w: entry %v", ledgerrpc.ErrNotFound, entry)
		}
		if err == nil {
			out, err = link.Encode()
		}
		return err
	})
	return out, err
}

// Body implements ledgerrpc.Reader.
func (l *ledgers) Body(ctx context.Context, vault, body ident.CID) (out []byte, err error) {
	err = l.use(ctx, func(p *parts) error {
		if out, err = p.member.Body(vault, body); errors.Is(err, member.ErrUnknownEntry) {
			return fmt.Errorf("%w: body %v", ledgerrpc.ErrNotFound, body)
		}
		return err
	})
	return out, err
}

// Accept implements ledgerrpc.Voter.
func (l *ledgers) Accept(ctx context.Context, charter ident.Signed) (ident.Signed, error) {
	word, err := l.signed(ctx, func(p *parts) (ident.Signed, error) {
		if err := l.wanted(p, charter); err != nil {
			return ident.Signed{}, err
		}
		return p.member.Accept(charter)
	})
	if err == nil {
		l.accepted()
	}
	return word, err
}

// wanted judges whether the operator lets this node keep the ledger of a vault. One
// that is kept already stays.
func (l *ledgers) wanted(p *parts, charter ident.Signed) error {
	first, err := ledger.VerifyFirstCharter(charter)
	if err != nil {
		return err
	}
	if _, err := p.member.Charters(first.ID()); err == nil {
		return nil
	}
	if _, err := l.orders.quota(first.ID()); err != nil {
		return fmt.Errorf("%w: %v", ledger.ErrForbidden, err)
	}
	return nil
}

// Propose implements ledgerrpc.Voter.
func (l *ledgers) Propose(ctx context.Context, vault ident.CID, proposal, entry ident.Signed, body []byte) (ident.Signed, error) {
	vote, err := l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Propose(vault, proposal, entry, body) })
	if err == nil {
		l.stamp.meters.votes.Inc()
	}
	return vote, err
}

// Segments implements ledgerrpc.Voter.
func (l *ledgers) Segments(ctx context.Context, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Segments(vault, nonce, segments) })
}

// Certify implements ledgerrpc.Voter.
func (l *ledgers) Certify(ctx context.Context, vault ident.CID, certificate []byte) (ident.Signed, error) {
	ack, err := l.signed(ctx, func(p *parts) (ident.Signed, error) {
		ack, err := p.member.Certify(vault, certificate)
		var c ledger.Certificate
		if err == nil && wire.Decode(certificate, &c) == nil {
			l.mark(p, vault, c.Entry)
		}
		return ack, err
	})
	if err == nil {
		l.stamp.meters.acks.Inc()
	}
	return ack, err
}

// Adopt implements ledgerrpc.Voter.
func (l *ledgers) Adopt(ctx context.Context, vault ident.CID, link, body []byte) error {
	parsed, err := ledger.ParseLink(link)
	if err != nil {
		return err
	}
	parsed.Body = body
	return l.use(ctx, func(p *parts) error {
		if err := p.member.Adopt(vault, parsed); err != nil {
			return err
		}
		l.mark(p, vault, parsed.Entry.CID())
		return nil
	})
}

// Report implements ledgerrpc.Witness.
func (l *ledgers) Report(ctx context.Context, vault ident.CID, attempt ident.Signed) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Report(vault, attempt) })
}

// Evidence implements ledgerrpc.Witness.
func (l *ledgers) Evidence(ctx context.Context, vault ident.CID) (out [][]byte, err error) {
	err = l.use(ctx, func(p *parts) error {
		out, err = p.member.Evidence(vault)
		return err
	})
	return out, err
}

// mark tells the book which shards here belong to a certified entry. If that fails
// they stay provisional, and the members are asked when their time has passed.
func (l *ledgers) mark(p *parts, vault, entry ident.CID) {
	segments, err := p.member.Brought(vault, entry)
	if err == nil {
		err = p.book.certified(vault, segments)
	}
	if err != nil {
		l.log.Warn("shards of a certified entry not marked", "vault", vault.String(), "error", err)
	}
}

// AddPlacement implements ledgerrpc.Placer.
func (l *ledgers) AddPlacement(ctx context.Context, vault ident.CID, pl ledgerrpc.Placement) error {
	return l.use(ctx, func(p *parts) error {
		if err := p.member.AddPlacement(vault, pl.Receipt, pl.Certificate); err != nil {
			return err
		}
		return p.promised(vault, pl)
	})
}

// promised tells the board that a holder has given a receipt for shards: audits ask for
// them again.
func (p *parts) promised(vault ident.CID, pl ledgerrpc.Placement) error {
	r, shards, err := p.named(vault, pl)
	if err != nil {
		return err
	}
	return p.board.Promised(vault, r.Node, ledger.Time(r.Time), shards...)
}

// proved tells the board that a holder has proved to this node what a receipt names.
func (p *parts) proved(vault ident.CID, pl ledgerrpc.Placement) error {
	r, shards, err := p.named(vault, pl)
	if err != nil {
		return err
	}
	return p.board.Found(vault, r.Node, shards...)
}

// named verifies a placement, and returns the shards that its receipt names.
func (p *parts) named(vault ident.CID, pl ledgerrpc.Placement) (r ledger.Receipt, shards []custody.Shard, err error) {
	chain, err := p.member.Chain(vault)
	if err != nil {
		return r, nil, err
	}
	if r, _, err = chain.VerifyPlacement(ledger.Placement{V: 1, Receipt: pl.Receipt, Cert: pl.Certificate}); err != nil {
		return r, nil, err
	}
	for _, s := range r.Shards {
		shards = append(shards, custody.Shard{Segment: s.Segment, Index: int(s.Index)})
	}
	return r, shards, nil
}

// Placements implements ledgerrpc.Placer.
func (l *ledgers) Placements(ctx context.Context, vault ident.CID, segments []ident.CID) (out []ledgerrpc.Placement, err error) {
	err = l.use(ctx, func(p *parts) error {
		seen := map[ident.CID]bool{}
		for _, s := range segments {
			placed, err := p.member.Placements(vault, s)
			if err != nil {
				return err
			}
			for _, pl := range placed {
				if id := pl.Receipt.CID(); !seen[id] {
					seen[id] = true
					out = append(out, ledgerrpc.Placement{Receipt: pl.Receipt, Certificate: pl.Cert})
				}
			}
		}
		return nil
	})
	return out, err
}

// Moves implements ledgerrpc.Placer.
func (l *ledgers) Moves(ctx context.Context, vault ident.CID, from ledger.MovesCursor) (out []ledgerrpc.Placement, next ledger.MovesCursor, err error) {
	err = l.use(ctx, func(p *parts) error {
		list, after, err := p.member.Moves(vault, from)
		for _, pl := range list {
			out = append(out, ledgerrpc.Placement{Receipt: pl.Receipt, Certificate: pl.Cert})
		}
		next = after
		return err
	})
	return out, next, err
}

// Placed implements ledgerrpc.Placer.
func (l *ledgers) Placed(ctx context.Context, vault ident.CID, nonce [16]byte, shards []ledger.ShardName) (ident.Signed, error) {
	return l.signed(ctx, func(p *parts) (ident.Signed, error) { return p.member.Placed(vault, nonce, shards) })
}
