package object

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxPiece bounds one range that is asked of a holder.
const maxPiece = 4 << 20

// readRange fills dst with the sealed bytes from off on: verified ranges of the
// data rows that hold them, all at once.
func (r *Reader) readRange(ctx context.Context, t *target, off int64, dst []byte) error {
	if off < 0 || off+int64(len(dst)) > t.size() {
		return fmt.Errorf("segment %v: no bytes %d to %d", t.segment, off, off+int64(len(dst)))
	}
	var pieces []piece
	for len(dst) > 0 {
		row, at := int(off/t.row), off%t.row
		n := min(int64(len(dst)), t.row-at, maxPiece)
		pieces = append(pieces, piece{row, at, dst[:n:n]})
		dst, off = dst[n:], off+n
	}
	if len(pieces) == 1 {
		return r.readPiece(ctx, t, pieces[0])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	turns := make(chan struct{}, 2*t.k())
	for _, p := range pieces {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			if ctx.Err() != nil {
				return
			}
			if err := r.readPiece(ctx, t, p); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// piece is a range of one data row, and where it goes.
type piece struct {
	row int
	off int64
	dst []byte
}

// readPiece gets the range from the row's holder; when he fails, is late or is in
// bad repute, the same columns of k other rows give it as well.
func (r *Reader) readPiece(ctx context.Context, t *target, p piece) error {
	node := t.node(p.row)
	if node.IsZero() {
		return r.rebuildPiece(ctx, t, p)
	}
	if !r.health.suspect(node) {
		return r.hedgedPiece(ctx, t, p)
	}
	err := r.rebuildPiece(ctx, t, p)
	if err == nil || ctx.Err() != nil {
		return err
	}
	direct := r.fetchPiece(ctx, t, p)
	if direct == nil {
		return nil
	}
	return with(err, direct)
}

// hedgedPiece asks the row's holder, and begins to rebuild if no answer has come in
// time; the first of the two wins, and the other has ended when it returns.
func (r *Reader) hedgedPiece(ctx context.Context, t *target, p piece) error {
	direct, stopDirect := context.WithCancel(ctx)
	defer stopDirect()
	answer := make(chan error, 1)
	go func() { answer <- r.fetchPiece(direct, t, p) }()
	late := make(chan struct{})
	defer r.rangePace.watch(int64(len(p.dst)), int64(t.k()), func() { close(late) })()
	select {
	case err := <-answer:
		if err == nil || ctx.Err() != nil {
			return err
		}
		return with(r.rebuildPiece(ctx, t, p), err)
	case <-late:
	}
	rebuilding, stopRebuilding := context.WithCancel(ctx)
	defer stopRebuilding()
	rebuilt := make(chan error, 1)
	other := piece{p.row, p.off, make([]byte, len(p.dst))}
	go func() { rebuilt <- r.rebuildPiece(rebuilding, t, other) }()
	select {
	case err := <-answer:
		if err == nil {
			stopRebuilding()
			<-rebuilt
			return nil
		}
		if rebuildErr := <-rebuilt; rebuildErr != nil {
			return with(rebuildErr, err)
		}
	case err := <-rebuilt:
		if err != nil {
			direct := <-answer
			if direct == nil {
				return nil
			}
			return with(err, direct)
		}
		stopDirect()
		r.health.failed(t.node(p.row))
		<-answer
	}
	copy(p.dst, other.dst)
	return nil
}

// fetchPiece fetches a range of a row from its holder, verified.
func (r *Reader) fetchPiece(ctx context.Context, t *target, p piece) error {
	node := t.node(p.row)
	err := r.fetchColumns(ctx, t, p.row, p.off, p.dst)
	switch {
	case err == nil:
		r.health.succeeded(node)
	case ctx.Err() == nil:
		r.health.failed(node)
		r.fault(node, t.ref(p.row), err)
		err = fmt.Errorf("shard %d: %w", p.row, err)
	}
	return err
}

func (r *Reader) fetchColumns(ctx context.Context, t *target, row int, off int64, dst []byte) error {
	begun := time.Now()
	n := int64(len(dst))
	p, err := r.cfg.Holder(t.node(row)).Range(ctx, t.ref(row), t.cid(row), t.row, off, n, dst[:0])
	if err != nil {
		return err
	}
	if &p[0] != &dst[0] {
		copy(dst, p)
	}
	r.rangePace.took(n, time.Since(begun))
	r.cfg.Counters.Fetched.Add(n)
	return nil
}

// rebuildPiece fetches the same columns of k other rows and decodes only these.
func (r *Reader) rebuildPiece(ctx context.Context, t *target, p piece) error {
	coder, err := r.coders.get(t.Descriptor.Code())
	if err != nil {
		return err
	}
	first, spare := r.others(t, p.row)
	slots := make([][]byte, t.k())
	for i := range slots {
		slots[i] = make([]byte, len(p.dst))
	}
	g := &gathering{r: r, t: t, pace: &r.rangePace, size: int64(len(p.dst)), spare: spare}
	g.fetch = func(ctx context.Context, slot, row int) error {
		return r.fetchColumns(ctx, t, row, p.off, slots[slot])
	}
	rows, err := g.gather(ctx, first)
	if err != nil {
		return err
	}
	stripe := make([][]byte, t.n())
	for slot, row := range rows {
		stripe[row] = slots[slot]
	}
	stripe[p.row] = p.dst[:0]
	return coder.Rebuild(stripe, []int{p.row})
}

// others returns the rows to rebuild another one from: for each of k slots the
// first to try, and those that are left.
func (r *Reader) others(t *target, but int) (first, spare []int) {
	var suspects []int
	for row := range t.n() {
		node := t.node(row)
		switch {
		case row == but || node.IsZero():
		case r.health.suspect(node):
			suspects = append(suspects, row)
		default:
			spare = append(spare, row)
		}
	}
	spare = append(spare, suspects...)
	first = make([]int, t.k())
	for slot := range first {
		first[slot] = -1
	}
	return first, spare
}
