package repair

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// hedgeAfter is how long nothing may come before one more holder is asked.
const hedgeAfter = 3 * time.Second

// fetched is a row that was asked for.
type fetched struct {
	row  int
	data []byte
	err  error
}

// gather fetches any k rows, each compared with the descriptor, into rows, which is
// empty. Where one fails or is slow another is asked for. The caller gives the buffers
// back, also after an error.
func (c *Crew) gather(ctx context.Context, j Job, d erasure.Descriptor, rows [][]byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k, left := d.Code().K, c.order(j)
	came := make(chan fetched)
	asked, have := 0, 0
	var waiting atomic.Int32 // for this crew's own budget: no holder is slow by that
	var failed error
	ask := func() {
		if len(left) == 0 {
			return
		}
		from := left[0]
		left = left[1:]
		asked++
		go func() {
			var data []byte
			waiting.Add(1)
			err := c.budget.spend(ctx, d.RowSize())
			waiting.Add(-1)
			if err == nil {
				data, err = c.fetch(ctx, j, d, from)
			}
			came <- fetched{from.Row, data, err}
		}()
	}
	for range k {
		ask()
	}
	slow := time.NewTimer(hedgeAfter)
	defer slow.Stop()
	for asked > 0 {
		select {
		case f := <-came:
			asked--
			if f.err == nil && have < k {
				rows[f.row], have = f.data, have+1
			} else {
				c.rows.put(f.data)
			}
			switch {
			case have == k:
				cancel() // what is still on its way is waited for, and not used
			case f.err != nil:
				failed = errors.Join(failed, f.err)
				ask()
			}
			slow.Reset(hedgeAfter)
		case <-slow.C:
			if waiting.Load() == 0 {
				ask()
			}
			slow.Reset(hedgeAfter)
		}
	}
	if have < k {
		return fmt.Errorf("%w: %d of %d: %w", ErrSources, have, k, failed)
	}
	return nil
}

// order is the sources, those of this node first; the others begin with another one for
// each segment, so that all share the work. Those that the plan has put last, because
// they may not answer, stay behind.
func (c *Crew) order(j Job) []Place {
	own, rest := []Place(nil), []Place(nil)
	for _, p := range j.From {
		if p.Node == c.Self {
			own = append(own, p)
		} else {
			rest = append(rest, p)
		}
	}
	if sure := j.Sure - len(own); sure > 1 {
		hash := j.Segment.CID.Hash()
		at := int(hash[0]) % sure
		rest = append(append(append([]Place(nil), rest[at:sure]...), rest[:at]...), rest[sure:]...)
	}
	return append(own, rest...)
}

// fetch gets one row from its holder, compared with its name. It was paid for.
func (c *Crew) fetch(ctx context.Context, j Job, d erasure.Descriptor, from Place) ([]byte, error) {
	buffer := c.rows.get(d.RowSize())
	data, err := j.Holder(from.Node).Get(ctx, shardrpc.Ref{Segment: j.Segment.CID, Index: from.Row}, d.Shards[from.Row], d.RowSize(), buffer)
	if err != nil {
		c.rows.put(buffer)
		return nil, fmt.Errorf("row %d: %w", from.Row, err)
	}
	c.count(int64(len(data)), 0)
	return data, nil
}

func (c *Crew) count(read, written int64) {
	if c.Moved != nil {
		c.Moved(read, written)
	}
}

// rebuild makes the wanted rows of any k.
func (c *Crew) rebuild(ctx context.Context, j Job, d erasure.Descriptor, rows [][]byte, want []int) error {
	if err := c.gather(ctx, j, d, rows); err != nil {
		return err
	}
	for _, row := range want {
		if len(rows[row]) == 0 {
			rows[row] = c.rows.get(d.RowSize())
		}
	}
	coder, err := c.coder(d.Code())
	if err == nil {
		err = coder.Rebuild(rows, want)
	}
	if err != nil {
		return err
	}
	for _, row := range want {
		// SPEC: verified rows that rebuild to a CID other than the descriptor's are
		// ill-coded by their writer.
		if ident.SumRaw(rows[row]) != d.Shards[row] {
			return fmt.Errorf("%w: row %d", ErrIllCoded, row)
		}
	}
	return nil
}
