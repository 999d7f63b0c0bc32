package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// An entry of kind charter that a quorum has certified becomes the charter in force by
// the acks of a quorum. Whoever sees one without them collects them, and hands them to
// all members: it is no right of the owner's.

// completeCharter brings the charter into force that is certified at the head of the
// owner's lane under the charter in force; false if there is none.
func (s *Session) completeCharter(ctx context.Context) (bool, error) {
	head, ok := s.history.head(s.charter.Owner)
	if !ok || head.Entry.Kind != ledger.KindCharter || head.Entry.Charter != s.charter.CID() {
		return false, nil
	}
	body, err := s.Body(ctx, head)
	if err != nil {
		return false, err
	}
	encoded, err := s.encodedLink(ctx, head)
	if err != nil {
		return false, err
	}
	link, err := ledger.ParseLink(encoded)
	if err != nil {
		return false, err
	}
	link.Body = body
	if err := s.succeed(ctx, link); err != nil {
		return false, fmt.Errorf("complete charter %.8s: %w", head.CID.Hex(), err)
	}
	return true, nil
}

// succeed collects the acks of a certified charter, unless the link has them, and goes
// over to it, with all members that can be reached.
func (s *Session) succeed(ctx context.Context, link ledger.Link) error {
	if len(link.Acks) == 0 {
		acks, err := s.acksOf(ctx, link)
		if err != nil {
			return err
		}
		link.Acks = acks
	}
	before := s.charter
	chain, err := s.chain.Append(link)
	if err != nil {
		return err
	}
	if err := s.setChain(ctx, chain); err != nil {
		return err
	}
	s.tell(ctx, union(before.Members, s.charter.Members), link)
	return nil
}

// final returns the link of an entry that a quorum has acknowledged, with the acks, in
// the order of their operators.
func (d *decision) final() ledger.Link {
	l := d.link
	l.Cert = d.cert
	by := map[ident.PublicKey]ident.Signed{}
	for _, signed := range d.acks {
		if a, err := ledger.VerifyAck(signed, d.s.charter); err == nil {
			by[a.Operator] = signed
		}
	}
	for _, m := range d.s.charter.Members {
		if signed, ok := by[m.Operator]; ok {
			l.Acks = append(l.Acks, signed)
		}
	}
	return l
}

// succession returns the link by which an entry brought a charter into force, with body
// and acks; false for any other entry.
func (s *Session) succession(entry ident.CID) (ledger.Link, bool) {
	for _, l := range s.chain.Successions() {
		if l.Entry.CID() == entry {
			return l, true
		}
	}
	return ledger.Link{}, false
}

// acksOf asks all members for their acks of a certified entry, in the order of their
// operators. A member that has not seen the entry gets it.
func (s *Session) acksOf(ctx context.Context, link ledger.Link) ([]ident.Signed, error) {
	e, cert, err := s.chain.Verify(link)
	if err != nil {
		return nil, err
	}
	quorum := s.charter.Quorum()
	wait := quorumWait{Enough: quorum, Grace: askGrace, Limit: writeLimit}
	answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) (ident.Signed, error) {
		return s.ackOf(ctx, m, link, e, cert)
	})
	var acks []ident.Signed
	for _, a := range answers {
		if a.Err == nil && len(acks) < quorum {
			acks = append(acks, a.Value)
		}
	}
	if len(acks) < quorum {
		return nil, refusal(answers, len(acks), quorum)
	}
	return acks, nil
}

func (s *Session) ackOf(ctx context.Context, m ledger.Member, link ledger.Link, e ledger.Entry, cert ledger.Certificate) (ident.Signed, error) {
	signed, err := s.member(m).Certify(ctx, s.vault, link.Cert)
	if err != nil && ctx.Err() == nil {
		if err := s.hand(ctx, m, link); err != nil {
			return ident.Signed{}, err
		}
		signed, err = s.member(m).Certify(ctx, s.vault, link.Cert)
	}
	if err != nil {
		return ident.Signed{}, err
	}
	a, err := ledger.VerifyAck(signed, s.charter)
	if err == nil && (a.Operator != m.Operator || a.Entry != e.CID() || a.Place != cert.Place()) {
		err = fmt.Errorf("ack of %s: %w", m.Name, ErrFork)
	}
	return signed, err
}

// hand gives a member a link of the owner's lane, and before it what the member lacks
// below.
func (s *Session) hand(ctx context.Context, m ledger.Member, link ledger.Link) error {
	e, err := ledger.VerifyEntry(link.Entry)
	if err != nil {
		return err
	}
	err = s.adopt(ctx, m, link)
	if !errors.Is(err, ledger.ErrBehind) && !errors.Is(err, ledger.ErrCharter) {
		return err
	}
	for _, l := range s.history.above(e.Lane, headOf(err)) {
		if l.Entry.Height >= e.Height {
			break
		}
		if err := s.handOver(ctx, m, l); err != nil {
			return err
		}
	}
	return s.adopt(ctx, m, link)
}

func (s *Session) adopt(ctx context.Context, m ledger.Member, link ledger.Link) error {
	body := link.Body
	link.Body = nil
	short, err := link.Encode()
	if err != nil {
		return err
	}
	return s.member(m).Adopt(ctx, s.vault, short, body)
}

// tell hands the link of a charter in force to members of it and of the one before, as
// far as they can be reached: each goes over when it has it. Those who are away learn
// it from the others.
func (s *Session) tell(ctx context.Context, members []ledger.Member, link ledger.Link) {
	wait := quorumWait{Enough: len(members), Limit: askLimit}
	for _, a := range gather(ctx, members, wait, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		return struct{}{}, s.hand(ctx, m, link)
	}) {
		if a.Err != nil {
			s.options.Log.Debug("a member has not gone over yet", "member", a.Member.Name, "error", a.Err)
		}
	}
}

// union returns the members of two charters, no node twice.
func union(a, b []ledger.Member) []ledger.Member {
	out := slices.Clone(a)
	for _, m := range b {
		if !slices.ContainsFunc(a, func(o ledger.Member) bool { return o.Node == m.Node }) {
			out = append(out, m)
		}
	}
	return out
}
