package vault

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/vault/object"
)

// growth is what a run has stored, and when that is enough for a checkpoint.
type growth struct {
	limit int64
	due   chan struct{} // has room for one: a checkpoint is due

	bytes, chunks  atomic.Int64 // stored in all
	cut, cutChunks atomic.Int64 // of it, in checkpoints that are begun
	kept           atomic.Int64 // of it, in checkpoints that are final
	read           int64        // plaintext read before the last checkpoint; for whoever makes them
}

// checkpointChunks bounds the memory that a commit takes for its index, where files
// are small.
const checkpointChunks = 1 << 18

// add is told of each new chunk.
func (g *growth) add(stored int) {
	g.bytes.Add(int64(stored))
	g.chunks.Add(1)
	if !g.full() {
		return
	}
	select {
	case g.due <- struct{}{}:
	default:
	}
}

// begin notes that a checkpoint was cut off.
func (g *growth) begin(s object.Stats) {
	g.cut.Store(s.Stored)
	g.cutChunks.Store(s.Chunks)
	g.read = s.Read
}

func (g *growth) full() bool {
	return g.bytes.Load()-g.cut.Load() >= g.limit || g.chunks.Load()-g.cutChunks.Load() >= checkpointChunks
}

// unkept is how much would be stored again if the run ended now.
func (g *growth) unkept() int64 { return g.bytes.Load() - g.kept.Load() }

// keepOn makes checkpoints until end is called. End waits for the one that is under
// way, and returns why the last one has failed, if it has; then read is stopped too.
func (c *commit) keepOn(work context.Context, stop context.CancelCauseFunc) (end func() error) {
	over := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		err := c.keep(work, over)
		if err != nil {
			stop(err)
		}
		done <- err
	}()
	return func() error {
		close(over)
		return <-done
	}
}

func (c *commit) keep(work context.Context, over <-chan struct{}) error {
	timer := time.NewTimer(c.job.CheckpointEvery)
	defer timer.Stop()
	for {
		late := false
		select {
		case <-over:
			return nil
		case <-work.Done():
			return nil // the reading side says why
		case <-timer.C:
			late = true
		case <-c.growth.due:
		}
		if !late && !c.growth.full() {
			continue
		}
		if read := c.writer.Stats().Read; read > c.growth.read {
			if err := c.checkpoint(work, over); err != nil {
				return err
			}
		}
		timer.Reset(c.job.CheckpointEvery)
	}
}

// checkpoint makes an entry of what was stored so far, of streams that are still
// being read too, with the tree of what is finished. Reading goes on meanwhile.
func (c *commit) checkpoint(ctx context.Context, over <-chan struct{}) error {
	next, err := c.nextRound(ctx, over)
	if err != nil {
		return fmt.Errorf("make checkpoint: %w", err)
	}
	p, err := c.cutOff(ctx, next)
	if err != nil {
		return fmt.Errorf("make checkpoint: %w", err)
	}
	final, err := c.appendPatiently(ctx, p.prepared, over)
	if err != nil {
		return fmt.Errorf("make checkpoint: %w", err)
	}
	if err := c.takeOwn(final.Link, p.body, p.done); err != nil {
		return fmt.Errorf("make checkpoint: %w", err)
	}
	c.settle()
	p.part.Forget() // the index has it
	c.growth.kept.Store(p.part.Stats().Stored)
	c.last = final.Link.CID
	c.job.Checkpoint(Snapshot{Link: final.Link, Device: c.history.grants[c.lane()].Name, Open: true, Info: p.snap})
	return nil
}

// cutting is a checkpoint that is on disk and not in the ledger yet.
type cutting struct {
	prepared
	part *object.Checkpoint
}

// cutOff places what was stored so far under an entry of its own, and opens the next
// round for what comes.
//
// The tree is made before the cut: so all that it refers to is in this entry or in
// an earlier one.
func (c *commit) cutOff(ctx context.Context, next *round) (cutting, error) {
	snap := c.common
	snap.Partial = true
	var err error
	if snap.Root, snap.Stats, snap.Unread, err = c.archiver.Partial(ctx); err != nil {
		return cutting{}, err
	}
	part, err := c.writer.Checkpoint(ctx, next.next)
	if err != nil {
		return cutting{}, err
	}
	c.growth.begin(part.Stats())
	round := c.open
	c.open = next
	introduced, err := part.Place(ctx)
	if err != nil {
		return cutting{}, err
	}
	p, err := c.prepare(ctx, round, part, snap, introduced+1)
	return cutting{p, part}, err
}

// nextRound looks again who is up, except at the end. Whoever does not answer now
// may have been up before, and is tried.
func (c *commit) nextRound(ctx context.Context, over <-chan struct{}) (*round, error) {
	select {
	case <-over:
	default:
		looking, cancel := context.WithTimeout(ctx, askLimit)
		defer cancel()
		if nodes, err := c.findNodes(looking); err == nil {
			return c.newRound(nodes)
		}
	}
	return c.newRound(c.open.found)
}

// How long members that do not answer are given before they are asked again.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// appendPatiently appends a checkpoint. While too few members answer, and nothing
// was refused, the same entry is offered again: the reading goes on in the meantime,
// and a long backup does not end because of a short outage. When the reading is over
// it is offered once more.
func (c *commit) appendPatiently(ctx context.Context, p prepared, over <-chan struct{}) (Final, error) {
	signed, err := c.sign(c.profile.Device, p.entry, p.encoded)
	if err != nil {
		return Final{}, fmt.Errorf("append entry: %w", err)
	}
	if err := c.keepDraft(draft{V: 1, Entry: signed, Body: p.encoded}); err != nil {
		return Final{}, fmt.Errorf("append entry: %w", err)
	}
	last := false
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		final, err := c.offer(ctx, c.profile.Device, signed, p.encoded)
		if err == nil || last || ctx.Err() != nil || !errors.Is(err, ErrNoQuorum) || turnedDown(err) {
			return final, err
		}
		c.warn("a checkpoint has to wait: %v", err)
		select {
		case <-time.After(pause):
		case <-over:
			last = true
		case <-ctx.Done():
			return Final{}, err
		}
	}
}
