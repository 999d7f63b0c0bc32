package vault

import (
	"bytes"
	"context"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Accusation is a proof that somebody has signed two entries for one place of a lane:
// its device, or members.
type Accusation struct {
	ledger.Accused
	Device  string   // what the lane's device is called
	Members []string // names of the members that signed both; none if the device is accused
	Proof   []byte   // encoded evidence: with the charter, anyone verifies it
}

// Evidence asks all members for what was signed twice, and returns what is true, once
// each. It is no proof against a member that it keeps some.
func (s *Session) Evidence(ctx context.Context) []Accusation {
	wait := quorumWait{Enough: len(s.charter.Members), Grace: askGrace, Limit: askLimit}
	answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) ([][]byte, error) {
		return s.member(m).Evidence(ctx, s.vault)
	})
	var out []Accusation
	for _, a := range answers {
		for _, p := range a.Value {
			if slices.ContainsFunc(out, func(o Accusation) bool { return bytes.Equal(o.Proof, p) }) {
				continue
			}
			if accusation, ok := s.accusation(p); ok {
				out = append(out, accusation)
			}
		}
	}
	return out
}

// accusation verifies a piece of evidence under the charter that it is about.
func (s *Session) accusation(p []byte) (Accusation, bool) {
	e, err := ledger.ParseEvidence(p)
	if err != nil {
		return Accusation{}, false
	}
	for _, ch := range s.chain.Since(s.chain.First().CID()) {
		who, err := e.Verify(ch)
		if err != nil {
			continue
		}
		a := Accusation{Accused: who, Device: s.deviceName(who.Place.Lane), Proof: p}
		for _, k := range who.Operators {
			a.Members = append(a.Members, memberName(ch, k))
		}
		return a, true
	}
	return Accusation{}, false
}

func memberName(ch ledger.Charter, operator ident.PublicKey) string {
	if m, ok := ch.Member(operator); ok {
		return m.Name
	}
	return operator.Short()
}
