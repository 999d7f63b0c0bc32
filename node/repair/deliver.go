package repair

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"holdfast/erasure"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// later is the nonce of what belongs to no commit.
var later shardrpc.Nonce

// deliver brings a job's rows to their new holders, who prove that they have them, and
// returns those that have arrived. What is there already, from a steward that was
// interrupted, is not sent again.
func (c *Crew) deliver(ctx context.Context, j Job) ([]Place, error) {
	descriptor, err := j.Descriptor(ctx, j.Segment.CID)
	if err != nil {
		return nil, err
	}
	d, err := erasure.ParseDescriptor(descriptor)
	if err != nil {
		return nil, err
	}
	arrived, todo := c.there(ctx, j, d)
	if len(todo) == 0 {
		return arrived, nil
	}
	rows := make([][]byte, d.N)
	defer func() { c.rows.put(rows...) }()
	had, missed := c.obtain(ctx, j, d, rows, todo)
	arrived, err = c.putAll(ctx, j, d, descriptor, rows, had, arrived)
	return arrived, errors.Join(missed, err)
}

// there tells the rows that their new holders have and prove from those that are to be
// brought.
func (c *Crew) there(ctx context.Context, j Job, d erasure.Descriptor) (arrived, todo []Place) {
	for _, to := range j.To {
		has, err := j.Holder(to.Node).Has(ctx, []shardrpc.Ref{{Segment: j.Segment.CID, Index: to.Row}})
		if err == nil && len(has) == 1 && has[0] && c.prove(ctx, j, d, to) == nil {
			arrived = append(arrived, to)
		} else {
			todo = append(todo, to)
		}
	}
	return arrived, todo
}

// obtain fills the rows that are to be brought, and returns those that it has.
func (c *Crew) obtain(ctx context.Context, j Job, d erasure.Descriptor, rows [][]byte, todo []Place) ([]Place, error) {
	if j.Move {
		return c.copied(ctx, j, d, rows, todo)
	}
	want := make([]int, len(todo))
	for i, to := range todo {
		want[i] = to.Row
	}
	if err := c.rebuild(ctx, j, d, rows, want); err != nil {
		return nil, err
	}
	return todo, nil
}

// copied fetches each row that is to be moved from its holder. One that cannot be had keeps
// no other back.
func (c *Crew) copied(ctx context.Context, j Job, d erasure.Descriptor, rows [][]byte, todo []Place) (had []Place, err error) {
	for _, to := range todo {
		from := j.From[slices.IndexFunc(j.From, func(p Place) bool { return p.Row == to.Row })]
		failed := c.budget.spend(ctx, d.RowSize())
		if failed == nil {
			rows[to.Row], failed = c.fetch(ctx, j, d, from)
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", ErrSources, failed))
			continue
		}
		had = append(had, to)
	}
	return had, err
}

// putAll puts rows at once, and returns those that have arrived with what went wrong.
func (c *Crew) putAll(ctx context.Context, j Job, d erasure.Descriptor, descriptor []byte, rows [][]byte, todo, arrived []Place) ([]Place, error) {
	errs := make([]error, len(todo))
	var all sync.WaitGroup
	for i, to := range todo {
		all.Go(func() { errs[i] = c.put(ctx, j, d, descriptor, rows[to.Row], to) })
	}
	all.Wait()
	for i, to := range todo {
		if errs[i] == nil {
			arrived = append(arrived, to)
		}
	}
	return arrived, errors.Join(errs...)
}

// put brings one row to its new holder, and has it proved.
func (c *Crew) put(ctx context.Context, j Job, d erasure.Descriptor, descriptor, row []byte, to Place) error {
	if err := c.budget.spend(ctx, int64(len(row))); err != nil {
		return err
	}
	err := j.Holder(to.Node).Put(ctx, later, to.Row, descriptor, row)
	if err == nil {
		c.count(0, int64(len(row)))
		err = c.prove(ctx, j, d, to)
	}
	if err != nil {
		return &TargetError{to.Node, err}
	}
	return nil
}

// prove has a holder show one piece of a row, at random.
func (c *Crew) prove(ctx context.Context, j Job, d erasure.Descriptor, to Place) error {
	var seed [8]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return err
	}
	size := d.RowSize()
	off := int64(binary.BigEndian.Uint64(seed[:])%uint64(store.Groups(size))) * store.GroupSize
	n := min(store.GroupSize, size-off)
	_, err := j.Holder(to.Node).Range(ctx, shardrpc.Ref{Segment: j.Segment.CID, Index: to.Row}, d.Shards[to.Row], size, off, n, nil)
	return err
}
