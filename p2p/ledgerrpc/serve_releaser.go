package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// requestParts says how long the parts of a request for a release may be: the request,
// and the successor if it is about one.
func requestParts(count int) []uint64 {
	most := []uint64{ledger.MaxRequest + signedRoom, maxCharter}
	return most[:min(max(count, 1), len(most))]
}

func (s *server) request(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m vaultRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	r := Request{Verb: Ask, Vault: m.Vault, Grant: m.Grant}
	parts, err := s.take(ctx, x, r, m.Parts, requestParts(len(m.Parts))...)
	if err != nil {
		return err
	}
	var signed [2]ident.Signed
	for i, p := range parts {
		if signed[i], err = parseSigned(p); err != nil {
			return err
		}
	}
	return done(x, s.Docket.Request(ctx, m.Vault, signed[0], signed[1]))
}

// done answers with no more than yes.
func done(x *rpc.Exchange, err error) error {
	if err != nil {
		return err
	}
	return x.Answer(answer{})
}

func (s *server) opine(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m opineRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if m.Kind.Label() == "" {
		return fmt.Errorf("%w: no such stance", ErrBadRequest)
	}
	parts, err := s.take(ctx, x, Request{Verb: Opine, Vault: m.Vault}, m.Parts, maxSmall)
	if err != nil {
		return err
	}
	opinion, err := parseSigned(parts[0])
	if err != nil {
		return err
	}
	return done(x, s.Docket.Opine(ctx, m.Vault, m.Kind, opinion))
}

func (s *server) cases(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m casesRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Cases, Vault: m.Vault}, nil); err != nil {
		return err
	}
	return s.load(ctx, x, casesAnswer, func() ([][]byte, error) {
		list, err := s.Docket.Cases(ctx, m.Vault, m.After)
		return page(list[:min(len(list), MaxCases)]), err
	})
}

func (s *server) free(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m freeRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Free, Vault: m.Vault, Grant: m.Grant}, nil); err != nil {
		return err
	}
	segments, more, err := s.Releaser.Free(ctx, m.Vault, m.Request, m.After)
	if err != nil {
		return err
	}
	if len(segments) > ledger.MaxTargets {
		segments, more = segments[:ledger.MaxTargets], true
	}
	if len(segments) == 0 {
		return x.Answer(freeAnswer{})
	}
	p, err := encodeSegments(segments)
	if err != nil {
		return err
	}
	return x.Answer(freeAnswer{Parts: []uint64{uint64(len(p))}, More: more}, p)
}

// release serves the verbs of releases whose frame names a vault and nothing else.
func (s *server) release(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m vaultRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	parts, err := s.take(ctx, x, Request{Verb: m.Op, Vault: m.Vault, Grant: m.Grant}, m.Parts, releasePart(m.Op))
	if err != nil {
		return err
	}
	switch m.Op {
	case Consent:
		word, err := s.Releaser.Consent(ctx, m.Vault, parts[0])
		return signed(x, word, err)
	case Release:
		return done(x, s.Releaser.Release(ctx, m.Vault, parts[0]))
	case Undone:
		return done(x, s.Undoer.Undone(ctx, m.Vault, parts[0]))
	default:
		undo, err := parseSigned(parts[0])
		if err != nil {
			return err
		}
		word, err := s.Undoer.Undo(ctx, m.Vault, undo)
		return signed(x, word, err)
	}
}

func releasePart(op Verb) uint64 {
	switch op {
	case Consent:
		return ledger.MaxRelease
	case Release:
		return ledger.MaxReleaseCertificate
	case Undone:
		return ledger.MaxUndoCertificate
	}
	return maxSmall // undo
}

func (s *server) released(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m releasedRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if m.From < 1 || m.Limit < 1 {
		return fmt.Errorf("%w: no releases", ErrBadRequest)
	}
	if _, err := s.take(ctx, x, Request{Verb: Released, Vault: m.Vault}, nil); err != nil {
		return err
	}
	return s.load(ctx, x, releasedAnswer, func() ([][]byte, error) {
		limit := int(min(m.Limit, MaxReleased))
		list, err := s.Releaser.Released(ctx, m.Vault, m.From, limit)
		return page(list[:min(len(list), limit)]), err
	})
}

func (s *server) standing(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m nonceRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	parts, err := s.take(ctx, x, Request{Verb: Standing, Vault: m.Vault}, m.Parts, maxSegments)
	if err != nil {
		return err
	}
	releases, err := parseSegments(parts[0])
	if err != nil {
		return err
	}
	word, err := s.Undoer.Standing(ctx, m.Vault, m.Nonce, releases)
	return signed(x, word, err)
}
