package testnet

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"holdfast/node"
)

var errInProcess = errors.New("a node inside this process cannot be held")

// goroutines runs each node inside this process, by the constructor that the
// program uses.
type goroutines struct {
	log   *slog.Logger
	clock func(node string) func() time.Time

	mu    sync.Mutex
	nodes map[string]*inProcess
}

type inProcess struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid when done is closed
}

func newGoroutines(c Config) *goroutines {
	return &goroutines{log: c.Log, clock: c.clock, nodes: map[string]*inProcess{}}
}

func (g *goroutines) start(ctx context.Context, name, dir string) error {
	if g.get(name) != nil {
		return nil
	}
	n, err := node.Open(ctx, dir, node.Options{Now: g.clock(name), Log: g.log.With("node", name)})
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &inProcess{cancel: cancel, done: make(chan struct{})}
	g.mu.Lock()
	g.nodes[name] = p
	g.mu.Unlock()
	go func() {
		defer close(p.done)
		p.err = n.Run(run)
	}()
	return nil
}

// get returns the node if it runs.
func (g *goroutines) get(name string) *inProcess {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.nodes[name]
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
		return nil
	default:
		return p
	}
}

func (g *goroutines) state(name, _ string) running {
	if g.get(name) == nil {
		return running{}
	}
	return running{pid: os.Getpid()}
}

// kill is as abrupt as it can be inside one process: the node is ended.
func (g *goroutines) kill(ctx context.Context, name, dir string) error { return g.stop(ctx, name, dir) }

func (g *goroutines) stop(_ context.Context, name, _ string) error {
	p := g.get(name)
	if p == nil {
		return nil
	}
	p.cancel()
	<-p.done
	return p.err
}

func (g *goroutines) freeze(string, string) error { return errInProcess }
func (g *goroutines) thaw(string, string) error   { return errInProcess }
