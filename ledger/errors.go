package ledger

import (
	"errors"

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
// proposal, except ErrBehind, which passes once the member has caught up.
var (
	// ErrAttempt says that the attempt is not accepted by this version.
	ErrAttempt = errors.New("attempt above 0 is not accepted by this version")
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
	// ErrRevoked says that a device that was revoked would come back.
	ErrRevoked = errors.New("a revoked device cannot be enrolled again")
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
)
