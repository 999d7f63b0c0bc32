package shardrpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/rpc"
	"holdfast/store"
)

// Auditable is how a holder shows that it still has what it was given.
type Auditable interface {
	// Audit asks for one group of each of 1 to MaxChallenges shards, and says for each
	// what came of it. An error means that nothing is known about any of them: the node
	// was not reached, or was busy, or broke off.
	Audit(ctx context.Context, challenges []Challenge) ([]Outcome, error)

	// Inventory returns the holder's signed inventory of the vault over this nonce. The
	// caller verifies it.
	Inventory(ctx context.Context, nonce Nonce) (ident.Signed, error)

	// InventoryBucket lists up to MaxListed shards that the holder says it has in one of
	// the inventory's buckets, in order of segment and index, behind one of them or, if
	// that is zero, from the first. More says that others follow.
	InventoryBucket(ctx context.Context, bucket byte, after Ref) (shards []Ref, more bool, err error)
}

// Prover is the session's half of Auditable. It says ErrBusy to a peer that asks too
// much.
type Prover interface {
	// Prove writes the Bao slice of one group of a shard. ErrNotFound, ErrCorrupt,
	// ErrPaused and ErrRange are about that shard, and so is what is none of this
	// package's; what was written before them is forgotten.
	Prove(ctx context.Context, ref Ref, group int64, w io.Writer) error

	Inventory(ctx context.Context, nonce Nonce) (ident.Signed, error)
	InventoryBucket(ctx context.Context, bucket byte, after Ref) (shards []Ref, more bool, err error)
}

// Limits of what is asked in one audit.
const (
	MaxChallenges = 64
	MaxListed     = custody.MaxPage // shards of a bucket in one answer
)

// Challenge names one group of a shard, with what it is verified against: what the
// descriptor says of the shard.
type Challenge struct {
	Ref
	Group int64     // of store.GroupSize bytes, from 0
	Shard ident.CID // of the payload
	Size  int64     // of the payload
}

// slice is the part of the payload that the challenge asks for.
func (c Challenge) slice() store.Slice {
	off := c.Group * store.GroupSize
	return store.Slice{Shard: c.Shard, Size: c.Size, Off: off, N: min(store.GroupSize, c.Size-off)}
}

func (c Challenge) check() error {
	if !c.valid() || c.Shard.Codec() != ident.Raw || c.Size < 1 || c.Size > erasure.MaxSegment ||
		c.Group < 0 || c.Group >= store.Groups(c.Size) {
		return fmt.Errorf("audit shard %v: %w: no group %d of %d bytes", c.Ref, ErrBadRequest, c.Group, c.Size)
	}
	return nil
}

// Outcome is what came of one challenge.
type Outcome uint8

// The outcomes. Missing and Damaged are the holder's own word; Lied is proved by what
// it has sent; Unproved says nothing against it.
const (
	Proved   Outcome = iota
	Missing          // it says that it does not have the shard
	Damaged          // it says that its copy is bad
	Unproved         // it cannot say now: a volume is not there
	Lied             // it has sent bytes that are not those of the shard
)

var outcomeNames = [...]string{"proved", "missing", "damaged", "unproved", "lied"}

// String is for messages.
func (o Outcome) String() string { return outcomeNames[o] }

// The bytes of outcomes on the wire: 0, and the numbers of refusals.
const (
	wireProved   = 0
	wireInternal = 1
	wireMissing  = 12
	wireDamaged  = 16
	wirePaused   = 17
	wireRange    = 18
)

// outcomeOf is the byte for what a session says about one shard. What is no word about
// one shard refuses the whole request.
func outcomeOf(err error) (byte, error) {
	switch {
	case err == nil:
		return wireProved, nil
	case errors.Is(err, ErrBusy), errors.Is(err, ErrForbidden), errors.Is(err, ErrRevoked), errors.Is(err, context.Canceled):
		return 0, err
	case errors.Is(err, ErrNotFound):
		return wireMissing, nil
	case errors.Is(err, ErrCorrupt):
		return wireDamaged, nil
	case errors.Is(err, ErrPaused):
		return wirePaused, nil
	case errors.Is(err, ErrRange):
		return wireRange, nil
	}
	return wireInternal, nil
}

// parseOutcome reads a byte. A holder to which the group is out of range says itself
// that its copy is not the shard.
func parseOutcome(b byte) (Outcome, error) {
	switch b {
	case wireProved:
		return Proved, nil
	case wireMissing:
		return Missing, nil
	case wireDamaged, wireRange:
		return Damaged, nil
	case wirePaused, wireInternal:
		return Unproved, nil
	}
	return 0, fmt.Errorf("%w: outcome %d", rpc.ErrProtocol, b)
}

// challengeSize is a row of an audit request: a shard's row, and the group u32.
const challengeSize = refSize + 4

// groupRef is a challenge as the holder sees it.
type groupRef struct {
	Ref
	group int64
}

// encodeChallenges writes rows of 44 bytes.
func encodeChallenges(challenges []Challenge) ([]byte, error) {
	if len(challenges) == 0 || len(challenges) > MaxChallenges {
		return nil, fmt.Errorf("audit: %w: %d challenges", ErrBadRequest, len(challenges))
	}
	p := make([]byte, 0, challengeSize*len(challenges))
	for _, c := range challenges {
		if err := c.check(); err != nil {
			return nil, err
		}
		row, err := encodeRefs([]Ref{c.Ref})
		if err != nil {
			return nil, err
		}
		p = binary.LittleEndian.AppendUint32(append(p, row...), uint32(c.Group))
	}
	return p, nil
}

// parseChallenges accepts exactly what encodeChallenges produces.
func parseChallenges(p []byte) ([]groupRef, error) {
	if len(p) == 0 || len(p)%challengeSize != 0 || len(p) > MaxChallenges*challengeSize {
		return nil, fmt.Errorf("parse challenges: %w: %d bytes", ErrBadRequest, len(p))
	}
	var all []groupRef
	for ; len(p) > 0; p = p[challengeSize:] {
		refs, err := parseRefs(p[:refSize])
		if err != nil {
			return nil, err
		}
		group := int64(binary.LittleEndian.Uint32(p[refSize:challengeSize]))
		if group >= store.Groups(erasure.MaxSegment) {
			return nil, fmt.Errorf("parse challenges: %w: group %d", ErrBadRequest, group)
		}
		all = append(all, groupRef{refs[0], group})
	}
	return all, nil
}
