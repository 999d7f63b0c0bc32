package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// ofVault serves the verbs whose frame names a vault and nothing else.
func (s *server) ofVault(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m vaultRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	parts, err := s.take(ctx, x, Request{Verb: m.Op, Vault: m.Vault, Grant: m.Grant}, m.Parts, mostParts(m.Op)...)
	if err != nil {
		return err
	}
	switch m.Op {
	case Charters:
		return s.load(ctx, x, chartersAnswer, func() ([][]byte, error) {
			list, err := s.Reader.Charters(ctx, m.Vault)
			if err != nil {
				return nil, err
			}
			return encodeSigned(list...)
		})
	case Propose:
		return s.propose(ctx, x, m.Vault, parts)
	case Certify:
		ack, err := s.Voter.Certify(ctx, m.Vault, parts[0])
		return signed(x, ack, err)
	case Adopt:
		if err := s.Voter.Adopt(ctx, m.Vault, parts[0], parts[1]); err != nil {
			return err
		}
		return x.Answer(answer{})
	case Report:
		attempt, err := parseSigned(parts[0])
		if err != nil {
			return err
		}
		report, err := s.Witness.Report(ctx, m.Vault, attempt)
		return signed(x, report, err)
	case Evidence:
		return s.load(ctx, x, evidenceAnswer, func() ([][]byte, error) {
			list, err := s.Witness.Evidence(ctx, m.Vault)
			return page(list[:min(len(list), maxEvidence)]), err
		})
	case Place:
		return s.place(ctx, x, m.Vault, parts)
	default:
		return s.placements(ctx, x, m.Vault, parts[0])
	}
}

// mostParts says how long each part of a request may be.
func mostParts(op Verb) []uint64 {
	switch op {
	case Propose: // proposal, entry, body
		return []uint64{maxProposal, ledger.MaxEntry + signedRoom, ledger.MaxBody}
	case Certify: // certificate
		return []uint64{ledger.MaxCertificate}
	case Adopt: // link, body
		return []uint64{maxShortLink, ledger.MaxBody}
	case Place: // receipt, node certificate
		return []uint64{ledger.MaxReceipt + signedRoom, maxSmall}
	case Report: // attempt
		return []uint64{maxSmall}
	case Placements: // segments
		return []uint64{maxSegments}
	}
	return nil
}

func (s *server) propose(ctx context.Context, x *rpc.Exchange, vault ident.CID, parts [][]byte) error {
	proposal, err := parseSigned(parts[0])
	if err != nil {
		return err
	}
	entry, err := parseSigned(parts[1])
	if err != nil {
		return err
	}
	vote, err := s.Voter.Propose(ctx, vault, proposal, entry, parts[2])
	return signed(x, vote, err)
}

func (s *server) place(ctx context.Context, x *rpc.Exchange, vault ident.CID, parts [][]byte) error {
	receipt, err := parseSigned(parts[0])
	if err != nil {
		return err
	}
	certificate, err := parseSigned(parts[1])
	if err != nil {
		return err
	}
	if err := s.Placer.AddPlacement(ctx, vault, Placement{receipt, certificate}); err != nil {
		return err
	}
	return x.Answer(answer{})
}

func (s *server) placements(ctx context.Context, x *rpc.Exchange, vault ident.CID, part []byte) error {
	segments, err := parseSegments(part)
	if err != nil {
		return err
	}
	return s.load(ctx, x, placementsAnswer, func() ([][]byte, error) {
		list, err := s.Placer.Placements(ctx, vault, segments)
		if err != nil {
			return nil, err
		}
		return encodePlacements(list)
	})
}
