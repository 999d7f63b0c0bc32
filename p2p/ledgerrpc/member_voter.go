package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Accept implements Voter.
func (m *Member) Accept(ctx context.Context, charter ident.Signed) (ident.Signed, error) {
	parts, err := encodeSigned(charter)
	if err == nil {
		err = checkLength(parts, maxCharter)
	}
	if err != nil {
		return ident.Signed{}, err
	}
	return m.askSigned(ctx, Accept, acceptRequest{Op: Accept, Parts: rpc.Lengths(parts)}, parts, ledger.MaxSmall)
}

// Propose implements Voter.
func (m *Member) Propose(ctx context.Context, vault ident.CID, proposal, entry ident.Signed, body []byte) (ident.Signed, error) {
	parts, err := encodeSigned(proposal, entry)
	if err != nil {
		return ident.Signed{}, err
	}
	parts = append(parts, body)
	if err := checkLength(parts, mostParts(Propose)...); err != nil {
		return ident.Signed{}, err
	}
	return m.askSigned(ctx, Propose, m.vaultRequest(Propose, vault, parts), parts, ledger.MaxSmall)
}

// Certify implements Voter.
func (m *Member) Certify(ctx context.Context, vault ident.CID, certificate []byte) (ident.Signed, error) {
	parts := [][]byte{certificate}
	if err := checkLength(parts, mostParts(Certify)...); err != nil {
		return ident.Signed{}, err
	}
	r := vaultRequest{Op: Certify, Vault: vault, Parts: rpc.Lengths(parts)}
	return m.askSigned(ctx, Certify, r, parts, ledger.MaxSmall)
}

// Adopt implements Voter.
func (m *Member) Adopt(ctx context.Context, vault ident.CID, link, body []byte) error {
	parts := [][]byte{link, body}
	if err := checkLength(parts, mostParts(Adopt)...); err != nil {
		return err
	}
	return m.ask(ctx, Adopt, m.vaultRequest(Adopt, vault, parts), parts, rpc.Bounds{}, nothing)
}

// Segments implements Voter.
func (m *Member) Segments(ctx context.Context, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error) {
	parts, err := segmentsPart(segments)
	if err != nil {
		return ident.Signed{}, err
	}
	r := nonceRequest{Op: Segments, Vault: vault, Nonce: nonce, Parts: rpc.Lengths(parts)}
	return m.askSigned(ctx, Segments, r, parts, ledger.MaxSegments)
}

func segmentsPart(segments []ident.CID) ([][]byte, error) {
	if len(segments) == 0 || len(segments) > ledger.MaxStates {
		return nil, fmt.Errorf("ask for segments: %w: %d of them", ErrBadRequest, len(segments))
	}
	p, err := encodeSegments(segments)
	return [][]byte{p}, err
}

// AddPlacement implements Placer.
func (m *Member) AddPlacement(ctx context.Context, vault ident.CID, p Placement) error {
	parts, err := encodeSigned(p.Receipt, p.Certificate)
	if err == nil {
		err = checkLength(parts, mostParts(Place)...)
	}
	if err != nil {
		return err
	}
	return m.ask(ctx, Place, m.vaultRequest(Place, vault, parts), parts, rpc.Bounds{}, nothing)
}

// Placements implements Placer.
func (m *Member) Placements(ctx context.Context, vault ident.CID, segments []ident.CID) ([]Placement, error) {
	parts, err := segmentsPart(segments)
	if err != nil {
		return nil, err
	}
	var placements []Placement
	err = m.ask(ctx, Placements, m.vaultRequest(Placements, vault, parts), parts, placementsAnswer, func(got [][]byte) (err error) {
		placements, err = readPlacements(got)
		return err
	})
	return placements, err
}
