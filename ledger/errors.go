package ledger

import (
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// What a verifying function says about foreign bytes. A signature that does not
// verify is ident.ErrSignature; bytes that are not strict DAG-CBOR are
// wire.ErrMalformed.
var (
	// ErrVersion says that a structure is of a version that this program does not know.
	ErrVersion = wire.ErrVersion
	// ErrTooLarge says that a structure, or a list in it, is above its limit.
	ErrTooLarge = errors.New("larger than the limit")
	// ErrInvalid says that a structure breaks a rule of its own form.
	ErrInvalid = errors.New("invalid structure")
	// ErrMismatch says that a structure is valid and is about something else than
	// what it was given for: another vault, place, entry, node or nonce.
	ErrMismatch = errors.New("is about something else")
	// ErrNotMember says that a voter is no member of the charter.
	ErrNotMember = errors.New("not a member of the charter")
	// ErrExpired says that a certificate or grant is not valid at the time asked for.
	ErrExpired = errors.New("not valid at this time")
	// ErrNoQuorum says that there are fewer votes than the quorum.
	ErrNoQuorum = errors.New("fewer votes than the quorum")
)

// What CheckProposal refuses, besides the errors above. Each is final for this
// proposal, except ErrBehind, which passes once the member has caught up. Reports of a
// quorum open the next attempt.
var (
	// ErrAttempt says that the member has promised to vote and acknowledge nothing at
	// this height below a higher attempt.
	ErrAttempt = errors.New("the attempt is below what this member has promised")
	// ErrLocked says that the member has voted for another entry at this place.
	ErrLocked = errors.New("another entry is locked at this place")
	// ErrUndecided says that the entry below could still be replaced, as far as this
	// member knows: acks of a quorum for it, in the proposal, prove that it cannot.
	ErrUndecided = errors.New("the entry below is not known to be decided")
	// ErrCharter says that the charter is not the one in force.
	ErrCharter = errors.New("not the charter in force")
	// ErrForbidden says that the lane's key has no right to add this.
	ErrForbidden = errors.New("no right to do this")
	// ErrKind says that entries of this kind do not belong in this lane.
	ErrKind = errors.New("kind of entry does not belong in this lane")
	// ErrBehind says that the member is behind: the entry's height is above the next one.
	ErrBehind = errors.New("member is behind the proposal")
	// ErrStale says that the writer is behind: the height is certified already.
	ErrStale = errors.New("proposal is behind the lane's head")
	// ErrFork says that the entry does not follow the lane's head.
	ErrFork = errors.New("entry does not follow the lane's head")
	// ErrBody says that the body is not the one that the entry names.
	ErrBody = errors.New("body is not the one that the entry names")
	// ErrRevoked says that a device was revoked: it has no rights, and cannot come back.
	ErrRevoked = errors.New("the device was revoked")
	// ErrHolder says that a node may not hold shards of this vault.
	ErrHolder = errors.New("holder is not admitted")
	// ErrPlacement says that shards are placed against the rule of one for each operator.
	ErrPlacement = errors.New("placement breaks the rule of operators")
	// ErrReceipt says that a receipt does not promise what the placement needs.
	ErrReceipt = errors.New("receipt does not cover the placement")
	// ErrMargin says that the loss of a few operators would leave less than k shards.
	ErrMargin = errors.New("too few shards would be left after the loss of an operator")
	// ErrIntroduced says that a segment has been introduced before.
	ErrIntroduced = errors.New("segment was introduced before")
	// ErrRefs says that the arithmetic of a reference set is wrong.
	ErrRefs = errors.New("reference set does not add up")
	// ErrVoid says that an entry is above the place where the charter after its own
	// starts, or does not go on from where its own starts.
	ErrVoid = errors.New("entry is void under its charter")
	// ErrFrozen says that the member signs nothing more under this charter but what
	// belongs to its successor.
	ErrFrozen = errors.New("frozen for a successor of the charter")
	// ErrLowers says that a charter lowers protection and has not waited for it.
	ErrLowers = errors.New("this lowers protection and has not passed")
)

// What a member says about requests, releases and what guardians confirm.
var (
	// ErrUnknownRequest says that the request, or the release, is not known here.
	ErrUnknownRequest = errors.New("request is not known here")
	// ErrNotPassed says that a request lacks approvals, or is cooling off.
	ErrNotPassed = errors.New("request has not passed yet")
	// ErrVetoed says that somebody with a say has said no.
	ErrVetoed = errors.New("request was vetoed")
	// ErrSettled says that a request has come to nothing: it has expired, or another
	// charter is in force, or its release was taken back.
	ErrSettled = errors.New("request has expired or is void")
	// ErrNotFree says that a segment is still needed, or is none of this vault's. It
	// comes in a *SegmentsError.
	ErrNotFree = errors.New("segment is not free")
	// ErrRetention says that the retention of a target is not over.
	ErrRetention = errors.New("retention is not over")
	// ErrClockDoubt says that a member does not trust its own clock: all is locked.
	ErrClockDoubt = errors.New("the clock is in doubt")
	// ErrTooLate says that a release cannot be taken back any more.
	ErrTooLate = errors.New("too late to take the release back")
	// ErrClosing says that an entry refers to a segment that is being released. It
	// comes in a *SegmentsError.
	ErrClosing = errors.New("a segment that the entry refers to is being released")
	// ErrSuperseded says that a newer confirmation of the same guardian is kept.
	ErrSuperseded = errors.New("a newer confirmation of this guardian is kept")
)

// SegmentsError is a refusal because of segments: ErrNotFree or ErrClosing.
type SegmentsError struct {
	Err      error
	Segments []ident.CID // some of them, at most MaxNamed
}

// MaxNamed is how many segments a refusal names.
const MaxNamed = 28

// Error implements error.
func (e *SegmentsError) Error() string {
	if len(e.Segments) == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v: %s", e.Err, e.Segments[0])
}

// Unwrap implements errors.Is.
func (e *SegmentsError) Unwrap() error { return e.Err }
