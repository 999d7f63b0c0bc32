package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// DropKeys destroys this node's vote keys under the charters before the one in force:
// nobody who breaks in later signs another past with them. Answers are heads over a
// nonce, in any order; a quorum of the members has to say by them that the charter in
// force is in force with them too. Fewer is ErrNoQuorum, and destroys nothing. The vote
// key of the node's certificate, under which charters of earlier versions stand, stays:
// it signs receipts.
func (s *Store) DropKeys(vault ident.CID, nonce [16]byte, answers []ident.Signed) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	chain := v.chain()
	now := chain.Current()
	ready := map[ident.PublicKey]bool{}
	for _, a := range answers {
		for _, m := range now.Members {
			if h, err := ledger.VerifyHeads(a, now, m, nonce); err == nil && h.Charter == now.CID() {
				ready[m.Operator] = true
			}
		}
	}
	if len(ready) < now.Quorum() {
		return fmt.Errorf("drop keys of vault %s: %w: %d of %d are ready", v.id, ledger.ErrNoQuorum, len(ready), now.Quorum())
	}
	own, _ := now.Member(s.cfg.Operator)
	for _, ch := range chain.Since(chain.ID()) {
		if m, ok := ch.Member(s.cfg.Operator); ok && m.Node == s.cfg.Node && m.Vote != own.Vote {
			if err := s.keys.destroy(m.Vote); err != nil {
				return err
			}
		}
	}
	return nil
}
