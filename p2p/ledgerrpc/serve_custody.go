package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

func (s *server) moves(ctx context.Context, x *rpc.Exchange, request []byte) error {
	m, err := parseMoves(request)
	if err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Moves, Vault: m.Vault, Grant: m.Grant}, nil); err != nil {
		return err
	}
	var a movesAnswer
	return s.loadAs(ctx, x, movesBounds, func() ([][]byte, error) {
		list, next, err := s.Placer.Moves(ctx, m.Vault, ledger.MovesCursor{Store: m.Store, Next: m.From})
		if err != nil {
			return nil, err
		}
		a.Store, a.Next = next.Store, next.Next
		return encodePlacements(list)
	}, func(lengths []uint64) any {
		a.Parts = lengths
		return a
	})
}

func encodePlacements(list []Placement) ([][]byte, error) {
	all := make([]ident.Signed, 0, 2*len(list))
	for _, p := range list {
		all = append(all, p.Receipt, p.Certificate)
	}
	return encodeSigned(all...)
}

func (s *server) placed(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m placedRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	parts, err := s.take(ctx, x, Request{Verb: Placed, Vault: m.Vault, Grant: m.Grant}, m.Parts, maxShards)
	if err != nil {
		return err
	}
	shards, err := parseShards(parts[0])
	if err != nil {
		return err
	}
	word, err := s.Placer.Placed(ctx, m.Vault, m.Nonce, shards)
	return signed(x, word, err)
}
