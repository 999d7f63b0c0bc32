package member

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Held returns this member's signed word about how many shards of a vault a node holds,
// for whoever asks with a nonce.
func (s *Store) Held(vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	m, err := s.Custody(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	h := ledger.Held{
		Vault: v.id, Charter: v.inForce().CID(), Nonce: nonce, Operator: s.cfg.Operator, Clock: ledger.Millis(s.cfg.Now()), Node: node,
	}
	all := m.Held()
	for _, number := range m.Of(node) {
		h.Shards += all[number].Shards
		h.Bytes += all[number].Bytes
	}
	return ledger.SignHeld(v.voteKey(), h)
}
