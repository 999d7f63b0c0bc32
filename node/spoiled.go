package node

import (
	"context"
	"errors"
	"sync"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/node/audit"
	"holdfast/store"
	"holdfast/store/disk"
)

// This file holds the rule of what a node does when one of its own copies is bad or
// gone: it says so itself, in its inventory and, as a member, in its audit report, before
// anybody asks.

// maxSpoiled is how many shards may wait; the others are found by the book's own round.
const maxSpoiled = 1 << 16

// spoiled collects what the shelf reports, and enters it.
type spoiled struct {
	volume *volume
	node   ident.PublicKey
	lost   func() // called when a file is gone that nobody removed: there may be more of them
	loop   *bg.Loop

	mu   sync.Mutex
	keys map[store.Key]bool
	gone bool // one of them was lost
}

func (s *spoiled) start(opts ...bg.Option) *spoiled {
	s.loop = bg.NewLoop("say what is lost", 0, s.run, opts...)
	return s
}

// report takes a shelf's event. It may be called while the shelf is at work.
func (s *spoiled) report(e disk.Event) {
	if e.Kind != disk.Corrupt && e.Kind != disk.Lost {
		return
	}
	s.mu.Lock()
	if s.keys == nil {
		s.keys = map[store.Key]bool{}
	}
	if len(s.keys) < maxSpoiled {
		s.keys[e.Key] = true
	}
	s.gone = s.gone || e.Kind == disk.Lost
	s.mu.Unlock()
	s.loop.Trigger()
}

// run brings book and board up to date.
func (s *spoiled) run(ctx context.Context) error {
	s.mu.Lock()
	keys, gone := s.keys, s.gone
	s.keys, s.gone = nil, false
	s.mu.Unlock()
	if gone {
		s.lost()
	}
	err := s.volume.use(ctx, func(p *parts) error {
		vaults := map[ident.CID][]custody.Shard{}
		for key := range keys {
			if err := p.forgetIfMissing(ctx, key); err != nil {
				return err
			}
			if _, there, err := p.book.get(key); err != nil {
				return err
			} else if !there {
				vaults[key.Vault] = append(vaults[key.Vault], custody.Shard{Segment: key.Segment, Index: key.Index})
			}
		}
		var errs []error
		for vault, shards := range vaults {
			errs = append(errs, s.enter(p, vault, shards))
		}
		return errors.Join(errs...)
	})
	return ignorePaused(err)
}

// enter tells the board of a member which of its own shards it lacks.
func (s *spoiled) enter(p *parts, vault ident.CID, shards []custody.Shard) error {
	m, err := p.member.Custody(vault)
	if err != nil {
		return nil // no member: the others ask for the inventory
	}
	own := shards[:0]
	for _, shard := range shards {
		if audit.Holds(m, s.node, shard) {
			own = append(own, shard)
		}
	}
	return p.board.Lost(vault, s.node, own...)
}
