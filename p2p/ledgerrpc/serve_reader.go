package ledgerrpc

import (
	"context"

	"holdfast/p2p/rpc"
)

func (s *server) vaults(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m ownerRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Vaults}, nil); err != nil {
		return err
	}
	return s.load(ctx, x, vaultsAnswer, func() ([][]byte, error) {
		list, err := s.Reader.Vaults(ctx, m.Owner)
		if err != nil {
			return nil, err
		}
		return encodeSigned(list[:min(len(list), maxVaults)]...)
	})
}

func (s *server) links(ctx context.Context, x *rpc.Exchange, request []byte) error {
	m, err := parseLinks(request)
	if err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Links, Vault: m.Vault}, nil); err != nil {
		return err
	}
	return s.load(ctx, x, linksAnswer, func() ([][]byte, error) {
		links, err := s.Reader.Links(ctx, m.Vault, m.Lane, m.From, int(m.Limit))
		return page(links), err
	})
}

// page cuts a list where one answer is full.
func page(parts [][]byte) [][]byte {
	size := 0
	for i, p := range parts {
		if size += len(p); i == MaxLinks || i > 0 && size > maxPage {
			return parts[:i]
		}
	}
	return parts
}

func (s *server) byName(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m nameRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: m.Op, Vault: m.Vault, Grant: m.Grant}, nil); err != nil {
		return err
	}
	read, b := s.Reader.Body, bodyAnswer
	if m.Op == Entry {
		read, b = s.Reader.Entry, entryAnswer
	}
	return s.load(ctx, x, b, func() ([][]byte, error) {
		p, err := read(ctx, m.Vault, m.Name)
		return [][]byte{p}, err
	})
}

func (s *server) accept(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m acceptRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	parts, err := s.take(ctx, x, Request{Verb: Accept}, m.Parts, maxCharter)
	if err != nil {
		return err
	}
	charter, err := parseSigned(parts[0])
	if err != nil {
		return err
	}
	word, err := s.Voter.Accept(ctx, charter)
	return signed(x, word, err)
}

func (s *server) withNonce(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m nonceRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	r := Request{Verb: m.Op, Vault: m.Vault}
	if m.Op == Heads {
		if _, err := s.take(ctx, x, r, m.Parts); err != nil {
			return err
		}
		heads, err := s.Reader.Heads(ctx, m.Vault, m.Nonce)
		return signed(x, heads, err)
	}
	parts, err := s.take(ctx, x, r, m.Parts, maxSegments)
	if err != nil {
		return err
	}
	segments, err := parseSegments(parts[0])
	if err != nil {
		return err
	}
	states, err := s.Voter.Segments(ctx, m.Vault, m.Nonce, segments)
	return signed(x, states, err)
}
