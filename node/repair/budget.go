package repair

import (
	"context"

	"golang.org/x/time/rate"
)

// budget is how many bytes a second a crew reads and writes.
type budget struct{ limiter *rate.Limiter } // nil: no limit

func newBudget(bytes int64) *budget {
	if bytes <= 0 {
		return &budget{}
	}
	return &budget{rate.NewLimiter(rate.Limit(bytes), int(min(bytes, 1<<30)))}
}

// spend waits until so many bytes may be moved.
func (b *budget) spend(ctx context.Context, n int64) error {
	for b.limiter != nil && n > 0 {
		some := min(n, int64(b.limiter.Burst()))
		if err := b.limiter.WaitN(ctx, int(some)); err != nil {
			return err
		}
		n -= some
	}
	return ctx.Err()
}
