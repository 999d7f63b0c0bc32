package scenario

import (
	"context"
	"fmt"
	"time"
)

// This file holds the rule of how long anything is waited for. A busy machine makes
// everything slow, and nothing wrong: a wait ends when nothing has got better for longer
// than any machine needs for one step, and not after a time in which all should be done.

const (
	stall   = 3 * time.Minute  // in which nothing gets better: it is given up
	longest = 20 * time.Minute // for what gets better again and again, and never well

	// breath is how long is waited between two commands: each costs every node a little.
	breath = time.Second
)

// patience watches figures that grow as long as there is hope.
type patience struct {
	began, better time.Time
	most          []int64
}

func newPatience() *patience { return &patience{began: time.Now(), better: time.Now()} }

// lasts takes the figures in, always the same ones, and reports whether to go on.
func (p *patience) lasts(figures ...int64) bool {
	if p.most == nil {
		p.most = make([]int64, len(figures))
	}
	now := time.Now()
	for i, f := range figures {
		if f > p.most[i] {
			p.most[i], p.better = f, now
		}
	}
	return now.Sub(p.better) < stall && now.Sub(p.began) < longest
}

// repeat runs a command until it has ended as wanted, and returns how that was and how
// long it took. It gives up, with ErrBroken, when for very long no more shards are there
// by the command's word, and no more were rebuilt by the nodes'.
func (w *World) repeat(ctx context.Context, ok func(Report) bool, args ...string) (Report, time.Duration, error) {
	p := newPatience()
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("%w: holdfast %s does not end", ErrBroken, args[0]))
	defer cancel()
	for {
		r, err := w.Machine.Run(ctx, args...)
		took := time.Since(p.began)
		switch {
		case ctx.Err() != nil:
			return r, took, fmt.Errorf("%v: %w", r, context.Cause(ctx))
		case err != nil:
			return r, took, err
		case ok(r):
			return r, took, nil
		case !p.lasts(int64(r.Present), w.rebuilt(ctx)):
			return r, took, fmt.Errorf("%w: after %v %d of %d shards are there, margin %d, wrong are %v: %v", ErrBroken, took, r.Present, r.Shards, r.Margin, r.Wrong, r)
		}
		pause(ctx)
	}
}

// pause waits for a breath.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(breath):
	}
}

// rebuilt is how many shards the nodes have rebuilt or moved since they were started.
func (w *World) rebuilt(ctx context.Context) (n int64) {
	for _, s := range w.Net.Status(ctx) {
		if s.Status != nil {
			n += s.Status.Repair.Rebuilt
		}
	}
	return n
}

// Whole waits until every shard of every segment is there by the word of its holder,
// asked anew each time, and says how long that took.
func (w *World) Whole(ctx context.Context) (time.Duration, error) {
	_, took, err := w.repeat(ctx, allThere, "status")
	return took, err
}

// AllBytes waits until a check that reads everything finds nothing wrong.
func (w *World) AllBytes(ctx context.Context) error {
	_, _, err := w.repeat(ctx, allThere, "check", "--read-data")
	return err
}

func allThere(r Report) bool { return r.Code == 0 && r.Segments > 0 && r.Present == r.Shards }
