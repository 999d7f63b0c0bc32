package vault

import (
	"context"
	"crypto/rand"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// askAudits asks the members, and waits for a quorum, what their audits have found, with a
// fresh nonce. Who does not answer, or signs what does not verify, is heard as if he had
// said nothing. What several say is put together by audited.
func (s *Session) askAudits(ctx context.Context) []ledger.AuditReport {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails: crypto/rand ends the program instead
	wait := quorumWait{Enough: s.charter.Quorum(), Grace: askGrace, Limit: askLimit}
	var out []ledger.AuditReport
	for _, a := range gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) (ledger.AuditReport, error) {
		signed, err := s.member(m).Audits(ctx, s.vault, nonce, ident.PublicKey{})
		if err != nil {
			return ledger.AuditReport{}, err
		}
		return ledger.VerifyAuditReport(signed, s.charter, m, nonce)
	}) {
		if a.Err != nil {
			s.options.Log.Debug("a member says nothing of its audits", "member", a.Member.Name, "error", a.Err)
			continue
		}
		out = append(out, a.Value)
	}
	return out
}

// believable is how many members have to speak of a holder so that those who lie cannot
// say more of it, or less, than an honest one: 2f+1.
func (s *Session) believable() int { return 2*s.charter.Faults() + 1 }

// audited puts together what members' audits have found about a holder; false if fewer
// than least speak of it.
func audited(reports []ledger.AuditReport, node ident.PublicKey, least int) (ledger.HolderReport, bool) {
	h, members := ledger.Judged(reports, node)
	return h, members >= least
}
