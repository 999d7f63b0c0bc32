package object

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

// errLate says that an answer was given up for another row's.
var errLate = errors.New("the holder is slower than others")

// gathering fills k slots with k different rows of a segment, from as many holders
// at once. A slot whose holder fails or is late gets the next row that is left. A
// late one is given up only for a row that was not tried yet; when none is left,
// those that were late, or failed in a way that may pass, get a second chance.
type gathering struct {
	r     *Reader
	t     *target
	pace  *pace
	size  int64 // of each answer
	fetch func(ctx context.Context, slot, row int) error

	mu     sync.Mutex
	spare  []int // rows that were not tried yet, best first
	again  []int // rows that may be tried a second time
	second map[int]bool
	rows   []int // by slot
	short  shortage
}

// gather returns which row is in which slot. First names the row that each slot
// begins with, or -1 for none in particular; fetch brings a row to a slot, and has
// ended when it returns. All that was started has ended when gather returns.
func (g *gathering) gather(ctx context.Context, first []int) ([]int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.rows, g.second, g.short.t = make([]int, len(first)), map[int]bool{}, g.t
	for row := range g.t.n() {
		if g.t.node(row).IsZero() {
			g.short.add(fmt.Errorf("shard %d: %w", row, errNobody))
		}
	}
	var group sync.WaitGroup
	for slot, row := range first {
		group.Go(func() {
			if !g.fill(ctx, slot, row) {
				cancel(ErrOutOfReach)
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err == ErrOutOfReach {
		return nil, &g.short
	} else if err != nil {
		return nil, err
	}
	return g.rows, nil
}

// fill tries rows until one is in the slot, and returns false if none is left.
func (g *gathering) fill(ctx context.Context, slot, row int) bool {
	for ctx.Err() == nil {
		ok := row >= 0
		if !ok {
			if row, ok = g.next(); !ok {
				return false
			}
		}
		if g.try(ctx, slot, row) {
			return true
		}
		row = -1
	}
	return true
}

func (g *gathering) next() (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := &g.spare
	if len(*from) == 0 {
		from = &g.again
	}
	if len(*from) == 0 {
		return 0, false
	}
	row := (*from)[0]
	*from = (*from)[1:]
	return row, true
}

func (g *gathering) hasSpare() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.spare) > 0
}

func (g *gathering) try(ctx context.Context, slot, row int) bool {
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if g.hasSpare() {
		defer g.pace.watch(g.size, 1, func() {
			if g.hasSpare() {
				cancel(errLate)
			}
		})()
	}
	err := g.fetch(attempt, slot, row)
	if err != nil && ctx.Err() != nil {
		return false // somebody else's failure, or the caller's wish
	}
	node := g.t.node(row)
	if err == nil {
		g.r.health.succeeded(node)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.rows[slot] = row
		return true
	}
	g.r.health.failed(node)
	isLate := errors.Is(context.Cause(attempt), errLate)
	if !isLate {
		g.r.fault(node, g.t.ref(row), err)
	}
	g.note(row, err, isLate)
	return false
}

// note decides whether a row is worth a second try.
func (g *gathering) note(row int, err error, late bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.second[row] && (late || passing(err)) {
		g.second[row] = true
		g.again = append(g.again, row)
		return
	}
	g.short.add(fmt.Errorf("shard %d: %w", row, err))
}

// passing reports whether the same request may go well a moment later.
func passing(err error) bool {
	return errors.Is(err, rpc.ErrBroken) || errors.Is(err, shardrpc.ErrBusy)
}
