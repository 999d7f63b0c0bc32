package object

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// Next says what a commit is made with that follows a checkpoint: see WriterConfig.
type Next struct {
	Nonce        shardrpc.Nonce
	Placer       Placer
	CheckReceipt func(node ident.PublicKey, receipt ident.Signed, refs []shardrpc.Ref) error
}

// batch is what one commit will name: segments under one nonce, placed by one
// placer, with a tree part of its own.
type batch struct {
	Next
	targets *targets
	tree    treePart
	count   int // data segments begun; under the packer's lock
	claims  *claims

	// Under the writer's lock:
	placed []placed // by segment number
	left   int      // data segments that are begun and not placed
	closed bool     // no more of them will be begun
	ready  chan struct{}
}

func newBatch(n Next, c *claims) *batch {
	if n.CheckReceipt == nil {
		n.CheckReceipt = func(ident.PublicKey, ident.Signed, []shardrpc.Ref) error { return nil }
	}
	return &batch{Next: n, targets: newTargets(n.Placer), claims: c, ready: make(chan struct{})}
}

// settle says that no more segments are begun, or that one is placed.
func (b *batch) settle() {
	if b.closed && b.left == 0 {
		close(b.ready)
	}
}

// Checkpoint is a commit that was cut off from a writer that goes on. Place, then
// Finish; whoever does not get that far aborts the writer, because what follows
// refers to what is here.
type Checkpoint struct {
	w     *Writer
	b     *batch
	stats Stats
}

// Stats is what the writer had stored when the checkpoint was cut off.
func (c *Checkpoint) Stats() Stats { return c.stats }

// Checkpoint ends the open commit: all that File and Tree have stored so far, of
// streams that are still being read too, is in this one or in an earlier one, and
// what comes is for the next. It waits for the chunks that are being stored and
// holds back others meanwhile; reading goes on. It is called by one goroutine at a
// time.
func (w *Writer) Checkpoint(ctx context.Context, next Next) (*Checkpoint, error) {
	ctx, leave, err := w.enter(ctx, writing)
	if err != nil {
		return nil, fmt.Errorf("begin checkpoint: %w", err)
	}
	defer leave()
	if err := w.gate.close(ctx); err != nil {
		return nil, fmt.Errorf("begin checkpoint: %w", err)
	}
	defer w.gate.open()
	if err := w.closeOpen(ctx.Done(), false); err != nil {
		err = orCause(ctx, err)
		w.fail(err) // the open segment is gone
		return nil, fmt.Errorf("begin checkpoint: %w", err)
	}
	old := w.batch
	w.batch = newBatch(next, w.seen.turn())
	w.mu.Lock()
	defer w.mu.Unlock()
	old.closed = true
	old.settle()
	return &Checkpoint{w, old, w.stats}, nil
}

// Place waits until every data segment of the checkpoint is placed, and returns
// their number.
func (c *Checkpoint) Place(ctx context.Context) (dataSegments int, err error) {
	ctx, leave, err := c.w.join(ctx)
	if err != nil {
		return 0, fmt.Errorf("place checkpoint: %w", err)
	}
	defer leave()
	select {
	case <-c.b.ready:
		return c.b.count, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("place checkpoint: %w", context.Cause(ctx))
	}
}

// Finish is Writer.Finish for the checkpoint. If it fails, the writer has failed.
func (c *Checkpoint) Finish(ctx context.Context, sealedSnapshot []byte) (Commit, error) {
	ctx, leave, err := c.w.join(ctx)
	if err != nil {
		return Commit{}, fmt.Errorf("finish checkpoint: %w", err)
	}
	defer leave()
	done, err := c.w.finish(ctx, c.b, sealedSnapshot)
	if err != nil {
		err = fmt.Errorf("finish checkpoint: %w", orCause(ctx, err))
		c.w.fail(err)
		return Commit{}, err
	}
	return done, nil
}

// Forget tells the writer that WriterConfig.Known answers for the checkpoint's
// chunks from now on, so that it need not remember them.
func (c *Checkpoint) Forget() { c.w.seen.forget(c.b.claims) }

// claims are the chunks of one commit that are stored or about to be stored.
type claims struct{ ids map[chunkName]struct{} }

func newClaims() *claims { return &claims{map[chunkName]struct{}{}} }

// seen holds the claims of all commits of a writer that are not forgotten; the last
// ones are the open commit's. There is no way back: a chunk that was claimed is
// stored, or the writer fails, for others may rely on it already.
type seen struct {
	mu  sync.Mutex
	all []*claims
}

// claim reports whether the caller is the first one, and so has to store the chunk.
func (s *seen) claim(n chunkName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.all {
		if _, ok := c.ids[n]; ok {
			return false
		}
	}
	s.all[len(s.all)-1].ids[n] = struct{}{}
	return true
}

// turn begins the claims of another commit.
func (s *seen) turn() *claims {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newClaims()
	s.all = append(s.all, c)
	return c
}

func (s *seen) forget(c *claims) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(o *claims) bool { return o == c })
}
