package node

import (
	"context"
	"io"

	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// Prove implements shardrpc.Prover.
func (s *session) Prove(ctx context.Context, ref shardrpc.Ref, group int64, w io.Writer) error {
	if err := s.allow(1, 0); err != nil {
		return err
	}
	slow := w
	if !s.local {
		slow = s.throttle.up.writer(ctx, classAudit, w) // too little to be refused for
	}
	return s.use(ctx, func(p *parts) error {
		shard, err := p.shelf.Open(ctx, s.key(ref))
		if err != nil {
			return err
		}
		defer shard.Close()
		off := group * store.GroupSize
		return shard.Slice(slow, off, min(store.GroupSize, shard.Info().Size-off))
	})
}
