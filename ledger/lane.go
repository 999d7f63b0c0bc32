package ledger

import (
	"fmt"
	"slices"

	"holdfast/internal/ident"
)

// LaneState is what one member remembers of one lane under the charter in force: the
// highest entry for which it holds a certificate, and what it has promised at that
// height and at the next. Attempts are ballots. The methods are the rules by which a
// member votes, reports and takes certificates; each returns the state that must be on
// the disk before anything is signed, or the refusal and the state as it was. They are
// given verified facts and know no signature and no storage. The zero value is a lane
// without entries.
type LaneState struct {
	Height  int64     // of the head, 0 for none
	Entry   ident.CID // the head
	Prev    ident.CID // the entry below it
	Attempt int64     // of the head's certificate
	// Start is the height from which the charter in force goes on: nothing changes at
	// it or below. 0 under the first charter.
	Start int64
	// Sure says that this member took the head's certificate of attempt 0 while it had
	// promised nothing above that attempt. The head is decided if a quorum is sure.
	Sure bool
	// Floors are the attempts at Height and at Height+1 below which this member votes
	// and acknowledges nothing.
	Floors [2]int64
	// Locks are this member's votes at Height and at Height+1.
	Locks []Lock
}

// Ballot is an entry at a place of the lane: what is proposed, or certified.
type Ballot struct {
	Height, Attempt int64
	Entry           ident.CID
	Prev            ident.CID // entry at Height-1; undefined at 1
}

// String is for people's eyes.
func (b Ballot) String() string {
	return fmt.Sprintf("entry %s at height %d, attempt %d", b.Entry, b.Height, b.Attempt)
}

// Decided reports whether this member may take its head as one that no other entry
// will ever replace, as far as it depends on this member: it is sure of it, or another
// charter goes on from there. If not, acks of a quorum at one place prove it.
func (s LaneState) Decided() bool { return s.Height <= s.Start || s.Sure }

// Floor returns the attempt below which this member votes and acknowledges nothing at
// a height.
func (s LaneState) Floor(height int64) int64 {
	switch height {
	case s.Height:
		return s.Floors[0]
	case s.Height + 1:
		return s.Floors[1]
	}
	return 0
}

// Lock returns the vote at a place; false for none.
func (s LaneState) Lock(height, attempt int64) (ident.CID, bool) {
	for _, l := range s.Locks {
		if l.Height == height && l.Attempt == attempt {
			return l.Entry, true
		}
	}
	return ident.CID{}, false
}

// Open returns the vote with the highest attempt above the head; the zero value for
// none.
func (s LaneState) Open() Lock {
	var open Lock
	for _, l := range s.Locks {
		if l.Height == s.Height+1 && (open == Lock{} || l.Attempt > open.Attempt) {
			open = l
		}
	}
	return open
}

// Vote decides whether this member votes for a ballot, above attempt 0 by the entry to
// which its reports bind it, undefined for none (Bound). Final says that the proposal
// brings acks of a quorum, at one place, for the entry below. The vote for what is
// locked already is given again.
func (s LaneState) Vote(b Ballot, bound ident.CID, final bool) (LaneState, error) {
	held, locked := s.Lock(b.Height, b.Attempt)
	switch again := locked && held == b.Entry; {
	case b.Height > s.Height+1:
		return s, fmt.Errorf("%w: height %d above head %d", ErrBehind, b.Height, s.Height)
	case b.Height < s.Height:
		return s, fmt.Errorf("%w: height %d, head %d", ErrStale, b.Height, s.Height)
	case b.Height == s.Height && !again && (s.Height <= s.Start || b.Attempt <= s.Attempt):
		return s, fmt.Errorf("%w: height %d, head %d", ErrStale, b.Height, s.Height)
	// SPEC: It votes and acks nothing below its floor.
	case b.Attempt < s.Floor(b.Height):
		return s, fmt.Errorf("%w: attempt %d, floor %d", ErrAttempt, b.Attempt, s.Floor(b.Height))
	case again:
		return s, nil
	// SPEC: A member votes for one entry at a place, ever.
	case locked:
		return s, fmt.Errorf("%w: entry %s", ErrLocked, held)
	case b.Prev != s.below(b.Height):
		return s, fmt.Errorf("%w: %s after %s", ErrFork, b.Prev, s.below(b.Height))
	// SPEC: It does not vote on top of a head that may be replaced. A certificate of the
	// entry above is as good as acks: it has votes of a quorum on top of this head.
	case b.Height > s.Height && !final && bound != b.Entry && !s.Decided():
		return s, fmt.Errorf("%w: certificate of attempt %d, floor %d", ErrUndecided, s.Attempt, s.Floors[0])
	// SPEC: the entry of the certificate with the highest attempt must be proposed
	case bound.Defined() && bound != b.Entry:
		return s, fmt.Errorf("%w: its reports bind it to entry %s", ErrMismatch, bound)
	}
	s.Locks = append(slices.Clone(s.Locks), Lock{b.Height, b.Attempt, b.Entry})
	s.raise(b.Height, b.Attempt)
	return s, nil
}

// Report decides whether this member promises to vote and acknowledge nothing at a
// height below an attempt. What it reports is the head's certificate if that is of
// this height, and none if the height is above the head.
func (s LaneState) Report(height, attempt int64) (LaneState, error) {
	switch {
	case attempt < 1:
		return s, fmt.Errorf("%w: nothing is below attempt %d", ErrInvalid, attempt)
	case height > s.Height+1:
		return s, fmt.Errorf("%w: height %d above head %d", ErrBehind, height, s.Height)
	case height < s.Height || height <= s.Start:
		return s, fmt.Errorf("%w: height %d, head %d", ErrStale, height, s.Height)
	case attempt < s.Floor(height) || height == s.Height && attempt <= s.Attempt:
		return s, fmt.Errorf("%w: attempt %d, floor %d", ErrAttempt, attempt, s.Promised(height))
	}
	s.raise(height, attempt)
	return s, nil
}

// Certify decides whether this member keeps and acknowledges a certificate. The entry
// that a ballot with a higher attempt replaces at the head is void: the caller takes
// its effects back. With the same attempt, the two certificates are the proof that
// members have lied (ErrFork, see Evidence).
func (s LaneState) Certify(b Ballot) (LaneState, error) {
	next, err := s.take(b)
	if err != nil {
		return s, err
	}
	// The certificate that it is sure of it could have acknowledged when it came.
	if s.Sure && b.Attempt == 0 && b.Height == s.Height && b.Entry == s.Entry {
		return s, nil
	}
	// SPEC: It votes and acks nothing below its floor.
	if b.Attempt < s.Floor(b.Height) {
		return s, fmt.Errorf("%w: attempt %d, floor %d", ErrAttempt, b.Attempt, s.Floor(b.Height))
	}
	return next, nil
}

// Adopt decides whether this member keeps a certificate without acknowledging it: how
// one that was away catches up. It may be below the floor: this member is not sure of
// such a head.
func (s LaneState) Adopt(b Ballot) (LaneState, error) { return s.take(b) }

// take keeps the certificate of a ballot. Of one entry it keeps that with the highest
// attempt.
func (s LaneState) take(b Ballot) (LaneState, error) {
	switch {
	case b.Height > s.Height+1:
		return s, fmt.Errorf("%w: height %d, head %d", ErrBehind, b.Height, s.Height)
	case b.Height < s.Height:
		return s, fmt.Errorf("%w: height %d, head %d", ErrStale, b.Height, s.Height)
	case b.Height == s.Height && b.Entry == s.Entry && (b.Attempt <= s.Attempt || s.Height <= s.Start):
		return s, nil
	case b.Height == s.Height && b.Entry != s.Entry && b.Attempt == s.Attempt, b.Prev != s.below(b.Height):
		return s, fmt.Errorf("%w: entry %s at height %d", ErrFork, b.Entry, b.Height)
	case b.Height == s.Height && (b.Attempt < s.Attempt || s.Height <= s.Start):
		return s, fmt.Errorf("%w: attempt %d, head of attempt %d", ErrStale, b.Attempt, s.Attempt)
	}
	switch {
	case b.Height > s.Height:
		s.Prev, s.Height = s.Entry, b.Height
		s.Sure = b.Attempt == 0 && s.Floors[1] == 0
		s.Floors = [2]int64{s.Floors[1], 0}
		s.Locks = slices.DeleteFunc(slices.Clone(s.Locks), func(l Lock) bool { return l.Height < b.Height })
	case b.Entry != s.Entry:
		s.Sure = false
	}
	s.Entry, s.Attempt = b.Entry, b.Attempt
	s.raise(b.Height, b.Attempt)
	return s, nil
}

// below returns the entry that one of a height follows.
func (s LaneState) below(height int64) ident.CID {
	if height == s.Height {
		return s.Prev
	}
	return s.Entry
}

// Promised returns the lowest attempt at a height about which this member reports.
func (s LaneState) Promised(height int64) int64 {
	if height == s.Height {
		return max(s.Floors[0], s.Attempt+1)
	}
	return max(s.Floor(height), 1)
}

// raise makes an attempt the floor of a height, unless that is higher.
func (s *LaneState) raise(height, attempt int64) {
	i := height - s.Height
	s.Floors[i] = max(s.Floors[i], attempt)
}

// Bound returns the entry that a proposal with these verified reports must be for: of
// the certificates in them that with the highest attempt. False says that the writer
// is free. Reports of a quorum are needed, see Proposal.VerifyReports.
func Bound(reports []Report) (ident.CID, bool) {
	entry, highest, bound := ident.CID{}, int64(0), false
	for _, r := range reports {
		c, ok := r.Certificate()
		if ok && (!bound || c.Attempt > highest) {
			entry, highest, bound = c.Entry, c.Attempt, true
		}
	}
	return entry, bound
}
