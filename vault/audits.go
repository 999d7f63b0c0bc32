package vault

import (
	"context"
	"crypto/rand"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// askAudits asks the members, and waits for a quorum, what their audits have found, with a fresh nonce. Who does
// not answer, or signs what does not verify, is heard as if he had said nothing: what
// several say is put together by ledger.Judged.
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
