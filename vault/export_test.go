package vault

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/seal"
)

// HandOpinion hands a guardian's signed opinion to all members.
func (s *Session) HandOpinion(ctx context.Context, stance ledger.Stance, opinion ident.Signed) error {
	wait := quorumWait{Enough: len(s.charter.Members), Limit: askLimit}
	answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		return struct{}{}, s.member(m).Opine(ctx, s.vault, stance, opinion)
	})
	return firstError(answers)
}

// FreezeFor takes a change as far as the freezes, as a run does that is killed then.
func (s *Session) FreezeFor(ctx context.Context, e seal.Entropy, c Change) error {
	if err := s.beginOwner(ctx, e); err != nil {
		return err
	}
	p, err := s.prepareChange(ctx, e, c)
	if err == nil {
		_, err = s.freeze(ctx, p.signed)
	}
	return err
}
