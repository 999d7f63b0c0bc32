package repair

import (
	"errors"
	"fmt"

	"holdfast/internal/ident"
)

var (
	// ErrIllCoded says that verified rows of a segment rebuild to another row than its
	// descriptor names: whoever coded it was at fault, and no holder is. Nothing of it is
	// repaired, and nothing is dropped.
	ErrIllCoded = errors.New("the segment is ill-coded by its writer")

	// ErrSources says that fewer rows could be fetched than it takes.
	ErrSources = errors.New("too few rows can be read")

	// ErrFewMembers says that the new place is recorded by fewer members than a quorum.
	ErrFewMembers = errors.New("too few members hold the new holder's receipt")

	// ErrReceipt says that a new holder's receipt is not what was asked for.
	ErrReceipt = errors.New("the new holder's receipt is of no use")
)

// TargetError is what went wrong at a new holder: another may be chosen.
type TargetError struct {
	Node ident.PublicKey
	Err  error
}

// Error is for people.
func (e *TargetError) Error() string { return fmt.Sprintf("new holder %v: %v", e.Node, e.Err) }

// Unwrap returns the cause.
func (e *TargetError) Unwrap() error { return e.Err }
