package vault

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// frozen is a member's freeze, as it signed it and as it was verified.
type frozen struct {
	signed ident.Signed
	freeze ledger.Freeze
}

// freeze has members freeze the charter in force for a successor, and returns the
// freezes of a quorum, sorted by operator, that agree with what is here. All members
// that answer hold every start of them then. A claim of a member that nobody can prove
// makes its freeze count for nothing.
func (s *Session) freeze(ctx context.Context, successor ident.Signed) ([]ident.Signed, error) {
	for range maxRounds {
		answers, err := s.askFreezes(ctx, successor)
		if err != nil {
			return nil, err
		}
		if s.lacks(answers) {
			if _, err := s.Sync(ctx); err != nil {
				return nil, err
			}
		}
		chosen, starts := s.choose(answers)
		if len(chosen) < s.charter.Quorum() {
			return nil, fmt.Errorf("%w: %d of the %d needed freezes can be proved", ErrNoQuorum, len(chosen), s.charter.Quorum())
		}
		if err := s.level(ctx, answers, starts); err != nil {
			return nil, err
		}
		// The charter stands on the head of the owner's lane: if that has gone on, the
		// members are asked again.
		head, _ := s.history.head(s.charter.Owner)
		if starts[s.charter.Owner].Height == head.Entry.Height {
			return chosen, nil
		}
		for _, m := range s.charter.Members {
			if err := s.handLane(ctx, m, s.charter.Owner); err != nil && ctx.Err() == nil {
				s.options.Log.Debug("a member does not take the owner's lane", "member", m.Name, "error", err)
			}
		}
	}
	return nil, fmt.Errorf("%w: members do not agree on the owner's lane", ErrNoQuorum)
}

// askFreezes asks all members, and returns when they have answered: freezes of a quorum
// at least.
func (s *Session) askFreezes(ctx context.Context, successor ident.Signed) ([]answer[frozen], error) {
	quorum := s.charter.Quorum()
	wait := quorumWait{Enough: quorum, Grace: writeGrace, Limit: writeLimit}
	answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) (frozen, error) {
		signed, err := s.member(m).Freeze(ctx, s.vault, successor)
		if err != nil {
			return frozen{}, err
		}
		f, err := ledger.VerifyFreeze(signed, s.charter)
		if err == nil && f.Operator != m.Operator {
			err = fmt.Errorf("freeze of %s: %w", m.Name, ErrFork)
		}
		return frozen{signed, f}, err
	})
	if have := succeeded(answers); have < quorum {
		return nil, refusal(answers, have, quorum)
	}
	return answers, nil
}

// has reports whether an entry that somebody claims is in the history.
func (s *Session) has(l ledger.LaneStart) bool {
	links := s.history.lanes[l.Lane]
	return l.Height <= int64(len(links)) && links[l.Height-1].CID == l.Entry
}

// lacks reports whether a freeze names an entry that is not in the history.
func (s *Session) lacks(answers []answer[frozen]) bool {
	for _, a := range answers {
		if a.Err == nil && !s.agreesWith(a.Value.freeze) {
			return true
		}
	}
	return false
}

func (s *Session) agreesWith(f ledger.Freeze) bool {
	for _, l := range f.Lanes {
		if !s.has(l) {
			return false
		}
	}
	return true
}

// choose takes the freezes of a quorum whose claims are proved, in the members' order,
// and returns where the successor starts.
func (s *Session) choose(answers []answer[frozen]) ([]ident.Signed, map[ident.PublicKey]ledger.LaneStart) {
	var signed []ident.Signed
	var freezes []ledger.Freeze
	for _, a := range answers {
		if a.Err == nil && len(signed) < s.charter.Quorum() && s.agreesWith(a.Value.freeze) {
			signed, freezes = append(signed, a.Value.signed), append(freezes, a.Value.freeze)
		}
	}
	starts := map[ident.PublicKey]ledger.LaneStart{}
	for _, l := range ledger.Starts(freezes) {
		starts[l.Lane] = l
	}
	return signed, starts
}

// level brings the members that have frozen up to the starts. A quorum has to hold them.
func (s *Session) level(ctx context.Context, answers []answer[frozen], starts map[ident.PublicKey]ledger.LaneStart) error {
	freezes := map[ident.PublicKey]ledger.Freeze{}
	var members []ledger.Member
	for _, a := range answers {
		if a.Err == nil {
			freezes[a.Member.Operator] = a.Value.freeze
			members = append(members, a.Member)
		}
	}
	wait := quorumWait{Enough: len(members), Limit: 2 * writeLimit}
	levelled := gather(ctx, members, wait, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		return struct{}{}, s.levelOne(ctx, m, freezes[m.Operator], starts)
	})
	if have := succeeded(levelled); have < s.charter.Quorum() {
		return refusal(levelled, have, s.charter.Quorum())
	}
	return nil
}

func (s *Session) levelOne(ctx context.Context, m ledger.Member, f ledger.Freeze, starts map[ident.PublicKey]ledger.LaneStart) error {
	at := map[ident.PublicKey]ledger.LaneStart{}
	for _, l := range f.Lanes {
		at[l.Lane] = l
	}
	var failed error
	for lane, start := range starts {
		has := at[lane]
		if has.Height >= start.Height {
			continue
		}
		for _, l := range s.history.above(lane, has.Height) {
			if l.Entry.Height > start.Height {
				break
			}
			if err := s.handOver(ctx, m, l); err != nil {
				failed = errors.Join(failed, err)
				break
			}
		}
	}
	return failed
}
