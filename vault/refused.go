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
	firmly    int   // members that will never vote for it, and have not
	bound     int   // members that are bound to another entry at this attempt, or to a later attempt
	undecided int   // members that do not know whether the entry below is decided
	floor     int64 // highest attempt that one of them says it is bound to
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
	r := refused{error: fmt.Errorf("%w: %d of the %d needed agreed: %w", ErrNoQuorum, have, need, said), firmly: firmRefusals(answers)}
	for _, a := range answers {
		switch {
		case bound(a.Err):
			r.bound++
			r.floor = max(r.floor, floorOf(a.Err))
		case errors.Is(a.Err, ledger.ErrUndecided):
			r.undecided++
		}
	}
	return r
}

// bound reports whether a member refuses because of what it has promised before.
func bound(err error) bool {
	return errors.Is(err, ledgerrpc.ErrLocked) || errors.Is(err, ledger.ErrAttempt)
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

// blocking is how many members keep an entry from ever being certified, if they refuse
// it for good. One of them at least is honest.
func blocking(members int) int { return members - ledger.Quorum(members) + 1 }

// mayBeHopeless reports whether those members who have not answered yet decide
// whether an entry that finds no quorum is hopeless.
func mayBeHopeless[T any](answers []answer[T], members int) bool {
	firmly, left := firmRefusals(answers), members-len(answers)
	return firmly > 0 && firmly < blocking(members) && firmly+left >= blocking(members)
}

// firm reports whether a member's refusal of an entry is final. That it is away, or
// busy, or behind, or bound to another entry passes, or says nothing about this one.
func firm(err error) bool {
	for _, e := range []error{
		ledger.ErrCharter, ledger.ErrForbidden, ledger.ErrKind, ledger.ErrStale, ledger.ErrFork, ledger.ErrBody, ledger.ErrRevoked,
		ledger.ErrHolder, ledger.ErrPlacement, ledger.ErrReceipt, ledger.ErrMargin, ledger.ErrIntroduced, ledger.ErrRefs,
		ledger.ErrExpired, ledger.ErrTooLarge, ledger.ErrMismatch, ledger.ErrInvalid, ledger.ErrVersion, ledger.ErrClosing,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// hopeless reports whether an entry that found no quorum can find none any more: too
// many members refuse it for good. Whoever did not answer may have voted for it, so
// that another one takes its place only at a later attempt.
func hopeless(err error, charter ledger.Charter) bool {
	var r refused
	return errors.As(err, &r) && r.firmly >= blocking(len(charter.Members))
}

// turnedDown reports whether a member has refused an entry for good, so that there is no
// sense in waiting. ErrStale does not say so: a member that has got the certificate
// already may say it. One that is bound to another entry is not bound at a later attempt.
func turnedDown(err error) bool {
	if errors.Is(err, ErrFork) || errors.Is(err, ledgerrpc.ErrForgotten) {
		return true
	}
	return firm(err) && !errors.Is(err, ledger.ErrStale)
}
