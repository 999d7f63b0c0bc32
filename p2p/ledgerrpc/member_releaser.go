package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Request implements Docket.
func (m *Member) Request(ctx context.Context, vault ident.CID, request, successor ident.Signed) error {
	all := []ident.Signed{request}
	if !successor.IsZero() {
		all = append(all, successor)
	}
	parts, err := encodeSigned(all...)
	if err == nil {
		err = checkLength(parts, requestParts(len(parts))...)
	}
	if err != nil {
		return err
	}
	return m.ask(ctx, Ask, m.vaultRequest(Ask, vault, parts), parts, rpc.Bounds{}, nothing)
}

// Opine implements Docket.
func (m *Member) Opine(ctx context.Context, vault ident.CID, stance ledger.Stance, opinion ident.Signed) error {
	parts, err := encodeSigned(opinion)
	if err == nil {
		err = checkLength(parts, maxSmall)
	}
	if err != nil {
		return err
	}
	r := opineRequest{Op: Opine, Vault: vault, Kind: stance, Parts: rpc.Lengths(parts)}
	return m.ask(ctx, Opine, r, parts, rpc.Bounds{}, nothing)
}

// Cases implements Docket.
func (m *Member) Cases(ctx context.Context, vault, after ident.CID) ([][]byte, error) {
	var cases [][]byte
	err := m.ask(ctx, Cases, casesRequest{Cases, vault, after}, nil, casesAnswer, func(got [][]byte) error {
		for _, p := range got {
			if _, err := ledger.ParseCase(p); err != nil {
				return fmt.Errorf("%w: %w", rpc.ErrProtocol, err)
			}
		}
		cases = got
		return nil
	})
	return cases, err
}

// Free implements Releaser.
func (m *Member) Free(ctx context.Context, vault, request, after ident.CID) (segments []ident.CID, more bool, err error) {
	r := freeRequest{Free, vault, request, after, m.grant}
	err = m.pool.Do(ctx, func(c *rpc.Call) error {
		var a freeAnswer
		if err := c.Ask(refusals, r, &a); err != nil {
			return err
		}
		got, err := c.Parts(a.Parts, freeBounds)
		if err != nil {
			return err
		}
		if segments, err = checkFree(got); err != nil {
			return err
		}
		more = a.More
		c.Settle()
		return nil
	})
	if err != nil {
		return nil, false, &rpc.PeerError{Peer: m.node, Verb: string(Free), Err: err}
	}
	return segments, more, nil
}

// checkFree reads free segments.
func checkFree(parts [][]byte) ([]ident.CID, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	segments, err := parseSegments(parts[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", rpc.ErrProtocol, err)
	}
	return segments, nil
}

// Consent implements Releaser.
func (m *Member) Consent(ctx context.Context, vault ident.CID, release []byte) (ident.Signed, error) {
	parts := [][]byte{release}
	if err := checkLength(parts, ledger.MaxRelease); err != nil {
		return ident.Signed{}, err
	}
	return m.askSigned(ctx, Consent, m.vaultRequest(Consent, vault, parts), parts, ledger.MaxSmall)
}

// Release implements Releaser.
func (m *Member) Release(ctx context.Context, vault ident.CID, certificate []byte) error {
	return m.handOver(ctx, Release, vault, certificate, ledger.MaxReleaseCertificate)
}

// handOver brings one part of at most so many bytes.
func (m *Member) handOver(ctx context.Context, verb Verb, vault ident.CID, part []byte, most uint64) error {
	parts := [][]byte{part}
	if err := checkLength(parts, most); err != nil {
		return err
	}
	return m.ask(ctx, verb, m.vaultRequest(verb, vault, parts), parts, rpc.Bounds{}, nothing)
}

// Released implements Releaser.
func (m *Member) Released(ctx context.Context, vault ident.CID, from int64, limit int) ([][]byte, error) {
	limit = min(limit, MaxReleased)
	if from < 1 || limit < 1 {
		return nil, fmt.Errorf("ask for releases: %w: %d from number %d", ErrBadRequest, limit, from)
	}
	var list [][]byte
	r := releasedRequest{Released, vault, from, uint64(limit)}
	b := releasedAnswer
	b.Count = limit
	err := m.ask(ctx, Released, r, nil, b, func(got [][]byte) error {
		list = got
		return checkReleased(got, from)
	})
	return list, err
}

// checkReleased holds that what a loop goes through ascends.
func checkReleased(parts [][]byte, from int64) error {
	for _, p := range parts {
		r, err := ledger.ParseReleased(p)
		if err != nil {
			return fmt.Errorf("%w: %w", rpc.ErrProtocol, err)
		}
		if r.Seq < from {
			return fmt.Errorf("%w: releases do not ascend", ErrLied)
		}
		from = r.Seq + 1
	}
	return nil
}

// Undo implements Undoer.
func (m *Member) Undo(ctx context.Context, vault ident.CID, undo ident.Signed) (ident.Signed, error) {
	parts, err := encodeSigned(undo)
	if err == nil {
		err = checkLength(parts, maxSmall)
	}
	if err != nil {
		return ident.Signed{}, err
	}
	return m.askSigned(ctx, Undo, m.vaultRequest(Undo, vault, parts), parts, ledger.MaxSmall)
}

// Undone implements Undoer.
func (m *Member) Undone(ctx context.Context, vault ident.CID, certificate []byte) error {
	return m.handOver(ctx, Undone, vault, certificate, ledger.MaxUndoCertificate)
}

// Standing implements Undoer.
func (m *Member) Standing(ctx context.Context, vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error) {
	parts, err := segmentsPart(releases)
	if err != nil {
		return ident.Signed{}, err
	}
	r := nonceRequest{Op: Standing, Vault: vault, Nonce: nonce, Parts: rpc.Lengths(parts)}
	return m.askSigned(ctx, Standing, r, parts, ledger.MaxStanding)
}
