package object

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// ShardCheck is what was found out about one shard.
type ShardCheck struct {
	Index    int
	Node     ident.PublicKey // the zero key: it is with nobody
	Claimed  bool            // the node says that it has it
	Verified int64           // bytes that were read and are right
	Err      error           // nil if all that was asked for went well
}

// SegmentCheck is what was found out about a segment, shard by shard.
type SegmentCheck struct {
	Shards   []ShardCheck
	IllCoded bool // rows that are right by their CIDs do not belong together
}

// Good returns how many shards are all right, as far as was asked.
func (c SegmentCheck) Good() int {
	n := 0
	for _, s := range c.Shards {
		if s.Err == nil {
			n++
		}
	}
	return n
}

const (
	// checkWidth is how many columns of all rows are compared at once: n times that
	// is what a check takes up.
	checkWidth = 512 << 10
	checkAlign = 16 << 10 // a group of the shards' Bao trees
)

// CheckShards asks the holders of a segment whether they have their shards. With
// readData above 0 it reads that fraction of every shard, n rows and not only k, at
// a place that nobody can foresee, and verifies it; and that the rows belong
// together. What is wrong stands in the result; the error is only for what kept it
// from asking.
func (r *Reader) CheckShards(ctx context.Context, segment ident.CID, l Location, readData float64) (SegmentCheck, error) {
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return SegmentCheck{}, fmt.Errorf("check segment: %w", err)
	}
	defer leave()
	t, err := newTarget(segment, l)
	if err != nil {
		return SegmentCheck{}, fmt.Errorf("check segment: %w", err)
	}
	c := SegmentCheck{Shards: make([]ShardCheck, t.n())}
	r.askHolders(ctx, t, c.Shards)
	if readData > 0 && ctx.Err() == nil {
		if err := r.compareRows(ctx, t, &c, min(readData, 1)); err != nil {
			return SegmentCheck{}, fmt.Errorf("check segment: %w", err)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return SegmentCheck{}, fmt.Errorf("check segment: %w", err)
	}
	return c, nil
}

// askHolders asks every holder once for all its shards.
func (r *Reader) askHolders(ctx context.Context, t *target, shards []ShardCheck) {
	held := map[ident.PublicKey][]shardrpc.Ref{}
	for row := range shards {
		node := t.node(row)
		shards[row] = ShardCheck{Index: row, Node: node}
		if node.IsZero() {
			shards[row].Err = errNobody
			continue
		}
		held[node] = append(held[node], t.ref(row))
	}
	var group sync.WaitGroup
	for node, refs := range held {
		group.Go(func() {
			has, err := r.cfg.Holder(node).Has(ctx, refs)
			for i, ref := range refs {
				s := &shards[ref.Index]
				s.Claimed = err == nil && i < len(has) && has[i]
				if s.Err = err; err == nil && !s.Claimed {
					s.Err = shardrpc.ErrNotFound
				}
				if s.Err != nil && ctx.Err() == nil {
					r.fault(node, ref, s.Err)
				}
			}
		})
	}
	group.Wait()
}

// compareRows reads columns of all rows that are still good, at the same time.
func (r *Reader) compareRows(ctx context.Context, t *target, c *SegmentCheck, fraction float64) error {
	coder, err := r.coders.get(t.Descriptor.Code())
	if err != nil {
		return err
	}
	off, end := portion(t.row, fraction)
	stripe, again := make([][]byte, t.n()), make([][]byte, t.n())
	for i := range stripe {
		stripe[i], again[i] = make([]byte, checkWidth), make([]byte, checkWidth)
	}
	for ; off < end && ctx.Err() == nil; off += checkWidth {
		r.readStripe(ctx, t, c, stripe, off, min(checkWidth, end-off))
		same, err := belongTogether(coder, t, c, stripe, again, int(min(checkWidth, end-off)))
		if err != nil {
			return err
		}
		c.IllCoded = c.IllCoded || !same
	}
	return nil
}

// portion returns which columns to read: a fraction of them, from a random place.
func portion(row int64, fraction float64) (off, end int64) {
	n := int64(fraction * float64(row))
	n = min(row, (n+checkAlign-1)/checkAlign*checkAlign)
	if room := (row - n) / checkAlign; room > 0 {
		off = rand.Int64N(room+1) * checkAlign
	}
	return off, off + n
}

func (r *Reader) readStripe(ctx context.Context, t *target, c *SegmentCheck, stripe [][]byte, off, width int64) {
	var group sync.WaitGroup
	for row := range c.Shards {
		s := &c.Shards[row]
		if s.Err != nil {
			continue
		}
		group.Go(func() {
			err := r.fetchColumns(ctx, t, row, off, stripe[row][:width])
			if err == nil {
				s.Verified += width
				return
			}
			if s.Err = err; ctx.Err() == nil {
				r.fault(s.Node, t.ref(row), err)
			}
		})
	}
	group.Wait()
}

// belongTogether rebuilds all rows but k of the good ones, and compares.
func belongTogether(coder *erasure.Coder, t *target, c *SegmentCheck, stripe, again [][]byte, width int) (bool, error) {
	from := make([][]byte, t.n())
	var others []int
	used := 0
	for row, s := range c.Shards {
		switch {
		case s.Err != nil:
		case used < t.k():
			from[row] = stripe[row][:width]
			used++
		default:
			from[row] = again[row][:0]
			others = append(others, row)
		}
	}
	if len(others) == 0 {
		return true, nil
	}
	if err := coder.Rebuild(from, others); err != nil {
		return false, err
	}
	for _, row := range others {
		if !bytes.Equal(from[row], stripe[row][:width]) {
			return false, nil
		}
	}
	return true, nil
}
