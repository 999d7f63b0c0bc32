package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
)

func (s *server) confirm(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m vaultRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	parts, err := s.take(ctx, x, Request{Verb: Confirm, Vault: m.Vault, Grant: m.Grant}, m.Parts, maxSmall)
	if err != nil {
		return err
	}
	confirmation, err := parseSigned(parts[0])
	if err != nil {
		return err
	}
	return done(x, s.Docket.Confirm(ctx, m.Vault, confirmation))
}

func (s *server) confirmations(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m vaultRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Confirmations, Vault: m.Vault, Grant: m.Grant}, nil); err != nil {
		return err
	}
	return s.load(ctx, x, confirmationsAnswer, func() ([][]byte, error) {
		list, err := s.Docket.Confirmations(ctx, m.Vault)
		if err != nil {
			return nil, err
		}
		return encodeSigned(list...)
	})
}

// Confirm implements Docket.
func (m *Member) Confirm(ctx context.Context, vault ident.CID, confirmation ident.Signed) error {
	parts, err := encodeSigned(confirmation)
	if err == nil {
		err = checkLength(parts, maxSmall)
	}
	if err != nil {
		return err
	}
	return m.ask(ctx, Confirm, m.vaultRequest(Confirm, vault, parts), parts, rpc.Bounds{}, nothing)
}

// Confirmations implements Docket.
func (m *Member) Confirmations(ctx context.Context, vault ident.CID) ([]ident.Signed, error) {
	return m.askList(ctx, Confirmations, m.vaultRequest(Confirmations, vault, nil), nil, confirmationsAnswer)
}
