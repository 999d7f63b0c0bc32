package shardrpc

import (
	"bytes"
	"context"
	"fmt"

	"holdfast/internal/wire"
	"holdfast/ledger/custody"
	"holdfast/p2p/rpc"
	"holdfast/store"
)

// auditRequest is followed by its challenges.
type auditRequest struct {
	Op    string   `cbor:"op"`
	Parts []uint64 `cbor:"parts"`
}

// auditAnswer has a byte for each challenge. It is followed by the slices of those that
// are 0, in order.
type auditAnswer struct {
	Status   uint64 `cbor:"status"`
	Outcomes []byte `cbor:"outcomes"`
}

type inventoryRequest struct {
	Op    string `cbor:"op"`
	Nonce Nonce  `cbor:"nonce"`
}

// bucketRequest asks for a page of one bucket, behind a shard if there is one.
type bucketRequest struct {
	Op     string `cbor:"op"`
	Bucket uint64 `cbor:"bucket"`
	After  []byte `cbor:"after,omitempty"`
}

// bucketAnswer is followed by the rows.
type bucketAnswer struct {
	Status uint64   `cbor:"status"`
	More   bool     `cbor:"more,omitempty"`
	Parts  []uint64 `cbor:"parts"`
}

var (
	auditBounds  = rpc.Bounds{Count: 1, Each: challengeSize * MaxChallenges, Total: challengeSize * MaxChallenges}
	bucketBounds = rpc.Bounds{Count: 1, Each: custody.RowBytes * MaxListed, Total: custody.RowBytes * MaxListed}
)

// sliceRoom is what the slice of one group takes at most: the group, the length, and a
// pair of hashes for each level of the tree.
const sliceRoom = store.GroupSize + 2<<10

func (v *visit) audit(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m auditRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if err := x.Expect(auditBounds, m.Parts...); err != nil {
		return err
	}
	parts, err := x.Parts()
	if err != nil {
		return err
	}
	challenges, err := parseChallenges(bytes.Join(parts, nil))
	if err != nil {
		return err
	}
	if err := x.Hold(int64(len(challenges)) * sliceRoom); err != nil {
		return err
	}
	outcomes, slices, err := prove(ctx, v.session, challenges)
	if err != nil {
		return err
	}
	return x.Answer(auditAnswer{Outcomes: outcomes}, slices)
}

// prove asks a session for all of the groups.
func prove(ctx context.Context, s Prover, challenges []groupRef) (outcomes, proofs []byte, err error) {
	var all bytes.Buffer
	for _, c := range challenges {
		before := all.Len()
		said := s.Prove(ctx, c.Ref, c.group, &all)
		outcome, err := outcomeOf(said)
		if err != nil {
			return nil, nil, err
		}
		if said != nil {
			all.Truncate(before)
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, all.Bytes(), nil
}

func (v *visit) inventory(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m inventoryRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	inventory, err := v.session.Inventory(ctx, m.Nonce)
	if err != nil {
		return err
	}
	p, err := wire.Encode(inventory)
	if err != nil {
		return err
	}
	return x.Answer(receiptAnswer{Parts: rpc.Lengths([][]byte{p})}, p)
}

func (v *visit) bucket(ctx context.Context, x *rpc.Exchange, request []byte) error {
	m, after, err := parseBucket(request)
	if err != nil {
		return err
	}
	if err := x.Hold(int64(bucketBounds.Total)); err != nil {
		return err
	}
	shards, more, err := v.session.InventoryBucket(ctx, byte(m.Bucket), after)
	if err != nil {
		return err
	}
	p, err := encodeListed(shards)
	if err == nil && len(shards) > MaxListed {
		err = fmt.Errorf("%w: %d shards on one page", ErrInternal, len(shards))
	}
	if err != nil {
		return err
	}
	return x.Answer(bucketAnswer{More: more, Parts: rpc.Lengths([][]byte{p})}, p)
}

func parseBucket(p []byte) (m bucketRequest, after Ref, err error) {
	if err := decode(p, &m); err != nil {
		return m, after, err
	}
	if m.Bucket > 255 {
		return m, after, fmt.Errorf("%w: bucket %d", ErrBadRequest, m.Bucket)
	}
	after, err = parseAfter(m.After, byte(m.Bucket))
	return m, after, err
}
