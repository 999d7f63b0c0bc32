package bg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Group owns goroutines: each has a name, and all of them end with Close. The zero
// value is an empty group.
type Group struct {
	// Log is told of goroutines that fail; nil is slog.Default.
	Log *slog.Logger

	mu     sync.Mutex
	tasks  map[*task]struct{}
	closed chan struct{} // made by Close; closed when no task is left
}

type task struct {
	name   string
	cancel context.CancelFunc
}

// Go runs f in a goroutine. Its context ends with Close. An error of f, other than
// context.Canceled, is logged. After Close, f is not run, and Go returns false.
func (g *Group) Go(name string, f func(ctx context.Context) error) bool {
	ctx, cancel := context.WithCancel(context.Background())
	t := &task{name, cancel}
	if !g.add(t) {
		cancel()
		return false
	}
	go func() {
		defer g.remove(t)
		if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
			g.logger().WarnContext(ctx, "background task failed", "task", name, "err", err)
		}
	}()
	return true
}

// Close ends every goroutine's context and waits until all have returned. If ctx
// ends first, the error names those that have not; Close may then be called again.
func (g *Group) Close(ctx context.Context) error {
	closed := g.cancel()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
	}
	if names := g.names(); len(names) > 0 {
		return fmt.Errorf("wait for %s: %w", strings.Join(names, ", "), ctx.Err())
	}
	return nil
}

func (g *Group) logger() *slog.Logger {
	if g.Log != nil {
		return g.Log
	}
	return slog.Default()
}

func (g *Group) add(t *task) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		return false
	}
	if g.tasks == nil {
		g.tasks = make(map[*task]struct{})
	}
	g.tasks[t] = struct{}{}
	return true
}

func (g *Group) remove(t *task) {
	t.cancel()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.tasks, t)
	if g.closed != nil && len(g.tasks) == 0 {
		close(g.closed)
	}
}

func (g *Group) cancel() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
		if len(g.tasks) == 0 {
			close(g.closed)
		}
	}
	for t := range g.tasks {
		t.cancel()
	}
	return g.closed
}

// names lists the goroutines that have not returned.
func (g *Group) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for t := range g.tasks {
		names = append(names, t.name)
	}
	slices.Sort(names)
	return names
}
