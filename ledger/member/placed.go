package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// Placed signs over a nonce who holds shards, at most ledger.MaxNames: what counts on this
// member's disk.
func (s *Store) Placed(vault ident.CID, nonce [16]byte, shards []ledger.ShardName) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	if len(shards) > ledger.MaxNames {
		return ident.Signed{}, fmt.Errorf("say who holds shards: %w: %d of them", ledger.ErrTooLarge, len(shards))
	}
	p := ledger.Placed{
		Vault: v.id, Charter: v.inForce().CID(), Nonce: nonce, Operator: s.cfg.Operator, Clock: ledger.Millis(s.cfg.Now()),
		Shards: make([]ledger.PlacedShard, len(shards)),
	}
	err = v.read(func(x index) error {
		m := custody.New()
		if err := x.holders(m); err != nil {
			return err
		}
		c := x.custodian(m, v.inForce().Operators())
		for i, sh := range shards {
			if p.Shards[i], err = c.placed(sh); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.present()
	}
	if err != nil {
		return ident.Signed{}, fmt.Errorf("say who holds shards: %w", err)
	}
	return ledger.SignPlaced(v.voteKey(), p)
}

// placed returns who holds one shard.
func (c *custodian) placed(sh ledger.ShardName) (ledger.PlacedShard, error) {
	out := ledger.PlacedShard{Segment: sh.Segment, Index: sh.Index}
	s, by, ok, err := c.segment(sh.Segment)
	if err != nil || !ok || sh.Index < 0 || sh.Index >= int64(len(s.Held)) || s.Held[sh.Index] == custody.Nowhere {
		return out, err
	}
	out.Node, out.Time = c.m.Holders()[s.Held[sh.Index]].Node, by[sh.Index].Time
	return out, nil
}
