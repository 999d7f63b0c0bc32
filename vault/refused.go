package vault

import (
	"errors"
	"fmt"

	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// refused is what is left of an entry that found no quorum.
type refused struct {
	error
	firmly int // members that will never vote for it, and have not
}

func (r refused) Unwrap() error { return r.error }

// refusal says why too few members agreed: with the reason that most of them gave,
// if they gave one, else that they are out of reach.
func refusal[T any](answers []answer[T], have, need int) error {
	var said error
	for _, a := range answers {
		if a.Err != nil {
			said = errors.Join(said, fmt.Errorf("%s: %w", a.Member.Name, a.Err))
		}
	}
	return refused{fmt.Errorf("%w: %d of the %d needed agreed: %w", ErrNoQuorum, have, need, said), firmRefusals(answers)}
}

func firmRefusals[T any](answers []answer[T]) int {
	n := 0
	for _, a := range answers {
		if a.Err != nil && firm(a.Err) {
			n++
		}
	}
	return n
}

// mayBeHopeless reports whether those members who have not answered yet decide
// whether an entry that finds no quorum is hopeless.
func mayBeHopeless[T any](answers []answer[T], members, quorum int) bool {
	firmly, left := firmRefusals(answers), members-len(answers)
	return firmly > 0 && firmly < quorum && firmly+left >= quorum
}

// firm reports whether a member's refusal of an entry is final. That it is away, or
// busy, or behind, or bound to another entry passes, or says nothing about this one.
func firm(err error) bool {
	for _, e := range []error{
		ledger.ErrCharter, ledger.ErrForbidden, ledger.ErrKind, ledger.ErrStale, ledger.ErrFork, ledger.ErrBody, ledger.ErrRevoked,
		ledger.ErrHolder, ledger.ErrPlacement, ledger.ErrReceipt, ledger.ErrMargin, ledger.ErrIntroduced, ledger.ErrRefs,
		ledger.ErrExpired, ledger.ErrTooLarge, ledger.ErrMismatch, ledger.ErrInvalid, ledger.ErrVersion, ledgerrpc.ErrClosing,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// hopeless reports whether an entry that found no quorum can be given up for another
// one at its height: a quorum has refused it for good, so none of these has voted for
// it, and they can vote for the other. Whoever did not answer may have voted for it,
// and be needed: then only the same entry may be offered again.
func hopeless(err error, charter ledger.Charter) bool {
	var r refused
	return errors.As(err, &r) && r.firmly >= charter.Quorum()
}

// turnedDown reports whether a member has refused an entry for good, or is bound to
// another one, so that there is no sense in waiting. ErrStale does not say so: a member
// that has got the certificate already may say it.
func turnedDown(err error) bool {
	for _, e := range []error{ErrFork, ledgerrpc.ErrLocked, ledgerrpc.ErrForgotten} {
		if errors.Is(err, e) {
			return true
		}
	}
	return firm(err) && !errors.Is(err, ledger.ErrStale)
}
