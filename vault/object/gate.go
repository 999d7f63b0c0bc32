package object

import (
	"context"
	"sync"
)

// gate lets many pass at once, or one who is alone. Who wants to be alone waits for
// those that are inside, and the others wait for him: so the pause is as long as
// what is inside takes, and no longer.
type gate struct {
	mu     sync.Mutex
	inside int
	shut   chan struct{} // closed when the gate opens again; nil while it is open
	empty  chan struct{} // closed when nobody is inside any more; nil while it is open
}

// enter waits while the gate is shut, and reports false if done ends before.
func (g *gate) enter(done <-chan struct{}) bool {
	for {
		g.mu.Lock()
		shut := g.shut
		if shut == nil {
			g.inside++
		}
		g.mu.Unlock()
		if shut == nil {
			return true
		}
		select {
		case <-shut:
		case <-done:
			return false
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.shut != nil {
		close(g.empty)
	}
}

// close shuts the gate and waits until nobody is inside. It is called by one at a
// time. On an error the gate is open.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	g.shut, g.empty = make(chan struct{}), make(chan struct{})
	if g.inside == 0 {
		close(g.empty)
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		g.open()
		return context.Cause(ctx)
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut, g.empty = nil, nil
}
