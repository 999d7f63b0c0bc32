package vault

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/ident"
)

// Interrupted says that a backup's context ended before the snapshot was made.
type Interrupted struct {
	// Last is the newest checkpoint of the run; the zero CID if it has made none.
	Last ident.CID
	// Kept says that all of it that was worth it is in that checkpoint.
	Kept bool
	Err  error
}

func (i *Interrupted) Error() string { return fmt.Sprintf("backup: %v", i.Err) }
func (i *Interrupted) Unwrap() error { return i.Err }

// outlive returns a context that ends with ctx, or, if there is something worth
// keeping then, a short while after it. End ends it before.
func (c *commit) outlive(ctx context.Context) (work context.Context, end func()) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
		case <-work.Done():
			return
		}
		if c.worthKeeping() {
			select {
			case <-time.After(keepLimit):
			case <-work.Done():
				return
			}
		}
		cancel(context.Cause(ctx))
	}()
	return work, func() {
		cancel(nil)
		<-done
	}
}

func (c *commit) worthKeeping() bool { return c.growth.unkept() >= c.job.KeepBytes }

// interrupt is what is done about an error of the backup. If the context has ended,
// what was stored is kept where it is worth it and can be done in a short time.
func (c *commit) interrupt(ctx, work context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	i := &Interrupted{Err: ctx.Err()}
	if c.worthKeeping() && work.Err() == nil {
		over := make(chan struct{})
		close(over)
		if failed := c.checkpoint(work, over); failed != nil {
			c.warn("what was placed since the last checkpoint could not be kept: %v", failed)
		}
	}
	i.Last, i.Kept = c.last, c.last.Defined() && !c.worthKeeping()
	return i
}
