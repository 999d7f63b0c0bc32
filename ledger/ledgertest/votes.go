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

// Certificate makes a certificate with the votes of a quorum, the first members.
func (v *Vault) Certificate(s Step) []byte {
	return must(ledger.NewCertificate(v.Votes(s, v.Charter.Quorum()), v.Charter))
}

// Link makes what members keep of a step.
func (v *Vault) Link(s Step) ledger.Link {
	return ledger.Link{V: 1, Entry: s.Signed, Cert: v.Certificate(s), Body: s.Body}
}
