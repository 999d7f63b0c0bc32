package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
)

// keyRequest asks for a vote key; without a vault for one that is to be created.
type keyRequest struct {
	Op    Verb      `cbor:"op"`
	Vault ident.CID `cbor:"vault,omitzero"`
	Nonce [16]byte  `cbor:"nonce"`
}

// successionsRequest asks for charters by their numbers, the second at least.
type successionsRequest struct {
	Op    Verb      `cbor:"op"`
	Vault ident.CID `cbor:"vault"`
	From  int64     `cbor:"from"`
}

func (s *server) key(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m keyRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Key, Vault: m.Vault}, nil); err != nil {
		return err
	}
	key, err := s.Successor.Key(ctx, m.Vault, m.Nonce)
	return signed(x, key, err)
}

func (s *server) freeze(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m vaultRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	parts, err := s.take(ctx, x, Request{Verb: Freeze, Vault: m.Vault, Grant: m.Grant}, m.Parts, maxCharter)
	if err != nil {
		return err
	}
	successor, err := parseSigned(parts[0])
	if err != nil {
		return err
	}
	freeze, err := s.Successor.Freeze(ctx, m.Vault, successor)
	return signed(x, freeze, err)
}

func (s *server) successions(ctx context.Context, x *rpc.Exchange, request []byte) error {
	m, err := parseSuccessions(request)
	if err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Successions, Vault: m.Vault}, nil); err != nil {
		return err
	}
	return s.load(ctx, x, successionsAnswer, func() ([][]byte, error) {
		links, err := s.Successor.Successions(ctx, m.Vault, m.From)
		return page(links), err
	})
}

func parseSuccessions(p []byte) (successionsRequest, error) {
	var m successionsRequest
	if err := decode(p, &m); err != nil {
		return m, err
	}
	if m.From < 2 {
		return m, fmt.Errorf("%w: the first charter has no succession", ErrBadRequest)
	}
	return m, nil
}
