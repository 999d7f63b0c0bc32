package member

import (
	"errors"
	"fmt"

	"holdfast/ledger"
)

// What a member says besides the refusals of package ledger.
var (
	// ErrUnknownVault says that the vault was never accepted here.
	ErrUnknownVault = errors.New("vault is not known here")
	// ErrUnknownEntry says that the entry, or body, or lane was never seen here. A
	// certificate for it becomes welcome with Adopt.
	ErrUnknownEntry = errors.New("entry is not known here")
	// ErrLocked says that this member has voted for another entry at this place.
	ErrLocked = ledger.ErrLocked
	// ErrForgotten says that the votes under this vote key were lost, and that it
	// signs nothing more for this vault.
	ErrForgotten = errors.New("vote store was lost, this vote key signs nothing more")
	// ErrFull says that this member keeps no more vaults, or entries or devices of
	// this vault.
	ErrFull = errors.New("limit of this member is reached")
	// ErrNotYet says that a placement is of a segment that is not certified here. It may
	// become so.
	ErrNotYet = errors.New("segment is not certified here")
	// ErrCorrupt says that a file of this member is missing or damaged. Adopt of the
	// same link repairs it.
	ErrCorrupt = errors.New("file is missing or damaged")
	// ErrGone says that the database under this member was taken away: what it would
	// promise would not last.
	ErrGone = errors.New("member's store is not there any more")
	// ErrNoIndex says that there are files and no database: see Rebuild.
	ErrNoIndex = errors.New("database is missing")
)

// StateError is a refusal because of where a lane stands. Err is ledger.ErrBehind,
// ledger.ErrStale, ledger.ErrFork, ledger.ErrAttempt, ledger.ErrUndecided, ErrLocked
// or ErrUnknownEntry; Head is what this member holds, so that whoever is behind can
// catch up. Its floor is that of the height that was asked about.
type StateError struct {
	Err  error
	Head ledger.LaneHead
}

// Error implements error.
func (e *StateError) Error() string {
	return fmt.Sprintf("%v (head at height %d: %s)", e.Err, e.Head.Height, e.Head.Entry)
}

// Unwrap implements errors.Is and errors.As.
func (e *StateError) Unwrap() error { return e.Err }

// ofState reports whether an error is explained by where the lane stands.
func ofState(err error) bool {
	for _, s := range []error{ledger.ErrBehind, ledger.ErrStale, ledger.ErrFork, ledger.ErrAttempt, ledger.ErrUndecided, ErrLocked, ErrUnknownEntry} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}
