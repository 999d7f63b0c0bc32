package vault

import (
	"context"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// council is a vault's members as somebody with a say about requests sees them: a
// device through its session, or a guardian who has no more than a key. It is used by
// one goroutine at a time.
type council struct {
	charter ledger.Charter // in force
	grants  func(device ident.PublicKey) (g ledger.Grant, enrolled, revoked bool)
	member  func(ledger.Member) seat
	now     func() time.Time
}

var _ ledger.GrantView = council{}

// seat is what one member is asked. *ledgerrpc.Member is one.
type seat interface {
	ledgerrpc.Docket
	ledgerrpc.Releaser
	ledgerrpc.Undoer
}

// Charter implements ledger.GrantView.
func (c council) Charter() ledger.Charter { return c.charter }

// Grant implements ledger.GrantView.
func (c council) Grant(device ident.PublicKey) (g ledger.Grant, enrolled, revoked bool) {
	return c.grants(device)
}

func (c council) quorum() int { return c.charter.Quorum() }

// ask asks every member, and waits for all of them.
func ask[T any](ctx context.Context, c council, question func(context.Context, seat) (T, error)) []answer[T] {
	wait := quorumWait{Enough: len(c.charter.Members), Limit: askLimit}
	return gather(ctx, c.charter.Members, wait, func(ctx context.Context, m ledger.Member) (T, error) {
		return question(ctx, c.member(m))
	})
}

// tell hands something signed to every member, and returns how many keep it.
//
// SPEC: Approvals and vetoes count for the CLI when n-q+f+1 members have persisted
// them. So each quorum holds an honest member that has them.
func (c council) tell(ctx context.Context, give func(context.Context, seat) error) (int, error) {
	answers := ask(ctx, c, func(ctx context.Context, m seat) (struct{}, error) {
		return struct{}{}, give(ctx, m)
	})
	kept, need := succeeded(answers), ledger.Proven(len(c.charter.Members))
	if kept < need {
		return kept, refusal(answers, kept, need)
	}
	return kept, nil
}

// council is the session's own.
func (s *Session) council() council {
	return council{charter: s.charter, grants: s.granted, now: s.options.Now, member: func(m ledger.Member) seat { return s.member(m) }}
}

// charterNamed returns one of the charters that have been in force.
func (s *Session) charterNamed(id ident.CID) (ledger.Charter, bool) {
	return s.chain.At(id)
}

// granted returns what the owner's lane says about a device.
func (s *Session) granted(device ident.PublicKey) (g ledger.Grant, enrolled, revoked bool) {
	g, enrolled = s.history.grants[device]
	return g, enrolled, s.history.gone[device]
}
