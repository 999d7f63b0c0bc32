package object

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// delivery is one segment's rows on their way to n holders, all at once.
type delivery struct {
	w *Writer
	s *segment

	mu      sync.Mutex
	flights []flight // of shard i
}

// flight is one row's way to one holder.
type flight struct {
	begun  time.Time
	cancel context.CancelCauseFunc // nil when it is not under way
}

type outcome struct {
	shard int
	node  ident.PublicKey
	took  time.Duration
	err   error
}

// deliver sends the rows and returns who has which; the zero key is nobody. It
// fails as soon as it is certain that fewer than Enough will be placed. All that it
// started has ended when it returns.
func (w *Writer) deliver(ctx context.Context, s *segment) ([]ident.PublicKey, error) {
	n := len(s.rows)
	nodes, err := s.batch.targets.place(s.number)
	if err != nil {
		return nil, fmt.Errorf("choose holders: %w", err)
	}
	if len(nodes) != n {
		return nil, fmt.Errorf("choose holders: %d nodes for %d shards", len(nodes), n)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &delivery{w: w, s: s, flights: make([]flight, n)}
	outcomes := make(chan outcome, n)
	var group sync.WaitGroup
	for i, node := range nodes {
		group.Go(func() { outcomes <- d.shard(ctx, i, node) })
	}
	holders, err := d.collect(ctx, cancel, outcomes)
	group.Wait()
	return holders, err
}

// collect waits for all rows. Once half of them have arrived, it loses patience
// with those that are far behind.
func (d *delivery) collect(ctx context.Context, cancel context.CancelCauseFunc, outcomes <-chan outcome) ([]ident.PublicKey, error) {
	n := len(d.s.rows)
	holders := make([]ident.PublicKey, n)
	var reasons []error
	var fatal error
	var half time.Duration // what the slowest of the faster half took
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for settled := 0; settled < n; {
		select {
		case o := <-outcomes:
			if settled++; o.err != nil {
				if reasons = append(reasons, o.err); fatal == nil && n-len(reasons) < d.w.cfg.Enough {
					fatal = tooFew(n, d.w.cfg.Enough, reasons) // what follows is only cancelled
					cancel(nil)
				}
				continue
			}
			holders[o.shard] = o.node
			if arrived := settled - len(reasons); arrived <= max(1, n/2) {
				half = max(half, o.took)
			}
			if settled-len(reasons) >= max(1, n/2) {
				timer.Reset(d.giveUp(half))
			}
		case <-timer.C:
			timer.Reset(d.giveUp(half))
		}
	}
	if fatal != nil {
		return nil, fatal
	}
	return holders, nil
}

// giveUp cancels the flights that have lasted too long, and returns when to look
// again.
func (d *delivery) giveUp(half time.Duration) time.Duration {
	allowed := d.w.cfg.Patience + 2*half
	next := allowed
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, f := range d.flights {
		if f.cancel == nil {
			continue
		}
		left := allowed - time.Since(f.begun)
		if left <= 0 {
			f.cancel(errStalled)
			d.flights[i].cancel = nil
			continue
		}
		next = min(next, left)
	}
	return next
}

// tooFew makes the error of a segment that found too few holders.
func tooFew(n, enough int, reasons []error) error {
	full := 0
	for _, err := range reasons {
		if noRoom(err) {
			full++
		}
	}
	err := ErrTooFewHolders
	if 2*full > len(reasons) {
		err = ErrFull
	}
	return fmt.Errorf("%w: at most %d of %d can be placed, %d are needed: %w", err, n-len(reasons), n, enough, errors.Join(reasons...))
}

// shard brings one row to its holder, or to spares until one has it.
func (d *delivery) shard(ctx context.Context, shard int, node ident.PublicKey) outcome {
	begun := time.Now()
	node, ok := d.s.batch.targets.usable(d.s.number, shard, node)
	err := errNobody
	for ok {
		if err = d.send(ctx, shard, node); err == nil {
			d.s.batch.targets.succeed(node)
			d.w.cfg.Counters.Placed.Add(int64(len(d.s.rows[shard])))
			return outcome{shard: shard, node: node, took: time.Since(begun)}
		}
		if ctx.Err() != nil {
			break
		}
		node, ok = d.s.batch.targets.after(d.s.number, shard, node, err)
	}
	return outcome{shard: shard, err: fmt.Errorf("shard %d: %w", shard, err)}
}

// send is one attempt, or a few while the holder is busy.
func (d *delivery) send(ctx context.Context, shard int, node ident.PublicKey) error {
	const attempts, pause = 5, 50 * time.Millisecond
	for i := 0; ; i++ {
		err := d.attempt(ctx, shard, node)
		if !errors.Is(err, shardrpc.ErrBusy) || i == attempts-1 {
			return err
		}
		select {
		case <-time.After(pause << i):
		case <-ctx.Done():
			return err
		}
	}
}

func (d *delivery) attempt(ctx context.Context, shard int, node ident.PublicKey) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d.setFlight(shard, flight{time.Now(), cancel})
	defer d.setFlight(shard, flight{})
	err := d.w.cfg.Holder(node).Put(ctx, d.s.batch.Nonce, shard, d.s.descriptor, d.s.rows[shard])
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Errorf("%w: %w", errStalled, err)
	}
	return err
}

func (d *delivery) setFlight(shard int, f flight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flights[shard] = f
}
