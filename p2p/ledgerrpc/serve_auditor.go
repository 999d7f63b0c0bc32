package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
)

// auditsRequest asks what a member's audits have found, about one node if there is one.
type auditsRequest struct {
	Op    Verb            `cbor:"op"`
	Vault ident.CID       `cbor:"vault"`
	Nonce [16]byte        `cbor:"nonce"`
	Node  ident.PublicKey `cbor:"node,omitzero"`
	Grant ident.Signed    `cbor:"grant,omitzero"`
}

func (s *server) audits(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m auditsRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Audits, Vault: m.Vault, Grant: m.Grant}, nil); err != nil {
		return err
	}
	report, err := s.Auditor.Audits(ctx, m.Vault, m.Nonce, m.Node)
	return signed(x, report, err)
}
