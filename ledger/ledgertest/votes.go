package ledgertest

import (
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// VoteFor makes a member's vote for a step, at a time on its clock.
func (m Member) VoteFor(s Step, clock time.Time) ident.Signed {
	return must(ledger.SignVote(m.Vote, ledger.Vote{
		Place: s.Propose().Place, Entry: s.Entry.CID(), Operator: m.Operator.Public(), Clock: ledger.Millis(clock),
	}))
}

// Votes makes the votes of the first so many members.
func (v *Vault) Votes(s Step, count int) []ident.Signed {
	var votes []ident.Signed
	for i, m := range v.Members[:count] {
		votes = append(votes, m.VoteFor(s, Start().Add(time.Duration(i)*time.Second)))
	}
	return votes
}

// VoteAt makes a member's vote for a step at an attempt.
func (m Member) VoteAt(s Step, attempt int64) ident.Signed {
	at := s.Propose().Place
	at.Attempt = attempt
	return must(ledger.SignVote(m.Vote, ledger.Vote{
		Place: at, Entry: s.Entry.CID(), Operator: m.Operator.Public(), Clock: ledger.Millis(Start()),
	}))
}

// CertificateOf makes a certificate with the votes of these members at an attempt.
func (v *Vault) CertificateOf(s Step, attempt int64, members ...int) []byte {
	var votes []ident.Signed
	for _, i := range members {
		votes = append(votes, v.Members[i].VoteAt(s, attempt))
	}
	return must(ledger.NewCertificate(votes, v.Charter))
}

// LinkOf makes what members keep of a step that these members have certified at an
// attempt.
func (v *Vault) LinkOf(s Step, attempt int64, members ...int) ledger.Link {
	return ledger.Link{V: 1, Entry: s.Signed, Cert: v.CertificateOf(s, attempt, members...), Body: s.Body}
}

// Again signs the proposal for a step at a later attempt, with its reports.
func (l *Lane) Again(s Step, attempt int64, reports ...ident.Signed) ident.Signed {
	p := s.Propose()
	p.Attempt, p.Reports = attempt, reports
	return must(ledger.SignProposal(l.Key, p))
}

// Above signs the proposal for a step with the acks that prove the entry below final.
func (l *Lane) Above(s Step, acks ...ident.Signed) ident.Signed {
	p := s.Propose()
	p.Acks = acks
	return must(ledger.SignProposal(l.Key, p))
}

// Ask signs the question for a report at a step's place and an attempt.
func (l *Lane) Ask(s Step, attempt int64) ident.Signed {
	at := s.Propose().Place
	at.Attempt = attempt
	return must(ledger.SignAttempt(l.Key, ledger.Attempt{Place: at}))
}

// Certificate makes a certificate with the votes of a quorum, the first members.
func (v *Vault) Certificate(s Step) []byte {
	return must(ledger.NewCertificate(v.Votes(s, v.Charter.Quorum()), v.Charter))
}

// Link makes what members keep of a step.
func (v *Vault) Link(s Step) ledger.Link {
	return ledger.Link{V: 1, Entry: s.Signed, Cert: v.Certificate(s), Body: s.Body}
}
