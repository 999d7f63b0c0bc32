package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// heldRequest asks how many shards a node holds.
type heldRequest struct {
	Op    Verb            `cbor:"op"`
	Vault ident.CID       `cbor:"vault"`
	Nonce [16]byte        `cbor:"nonce"`
	Node  ident.PublicKey `cbor:"node"`
	Grant ident.Signed    `cbor:"grant,omitzero"`
}

func (s *server) held(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m heldRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if _, err := s.take(ctx, x, Request{Verb: Holding, Vault: m.Vault, Grant: m.Grant}, nil); err != nil {
		return err
	}
	word, err := s.Counter.Held(ctx, m.Vault, m.Nonce, m.Node)
	return signed(x, word, err)
}

// Held implements Counter.
func (m *Member) Held(ctx context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	return m.askSigned(ctx, Holding, heldRequest{Op: Holding, Vault: vault, Nonce: nonce, Node: node, Grant: m.grant}, nil, ledger.MaxSmall)
}
