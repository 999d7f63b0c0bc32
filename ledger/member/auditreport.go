package member

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// AuditReport signs over a nonce what this member's audits have found about holders of
// a vault.
func (s *Store) AuditReport(vault ident.CID, nonce [16]byte, holders []ledger.HolderReport) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	if err := s.present(); err != nil {
		return ident.Signed{}, err
	}
	return ledger.SignAuditReport(v.voteKey(), ledger.AuditReport{
		Vault: v.id, Charter: v.inForce().CID(), Nonce: nonce, Operator: s.cfg.Operator, Clock: ledger.Millis(s.cfg.Now()), Holders: holders,
	})
}
