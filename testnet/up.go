package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

const programName = "bin/holdfast"

// Up starts a network of real processes and returns when it is ready: every node
// answers, and knows enough of the others. If it fails it leaves nothing running.
func Up(ctx context.Context, c Config) (*Network, error) {
	if c.Clock != nil {
		return nil, fmt.Errorf("%w: a process has the system's clock", ErrConfig)
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	program := filepath.Join(c.Dir, programName)
	if err := copyProgram(c.Program, program); err != nil {
		return nil, err
	}
	return up(ctx, c, newProcesses(program, c.Attached, c.Nodes))
}

// InProcess starts the same nodes inside this process, by the same constructor. They
// end with Down.
func InProcess(ctx context.Context, c Config) (*Network, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	return up(ctx, c, newGoroutines(c))
}

func up(ctx context.Context, c Config, r runner) (*Network, error) {
	n := &Network{dir: c.Dir, runner: r, log: c.Log, desc: description{Network: c.Network, Capacity: c.Capacity}}
	if err := n.initNodes(c); err != nil {
		return nil, err
	}
	if err := n.save(); err != nil {
		return nil, err
	}
	if err := n.lay(c, r); err != nil {
		return nil, errors.Join(err, n.Down(context.WithoutCancel(ctx)))
	}
	err := each(n.Names(), func(name string) error { return n.start(ctx, name) })
	if err == nil {
		err = n.awaitReady(ctx, n.Names())
	}
	if err != nil {
		return nil, errors.Join(err, n.Down(context.WithoutCancel(ctx)))
	}
	return n, nil
}

// each calls f for all names at once, and waits.
func each(names []string, f func(name string) error) error {
	var g errgroup.Group
	for _, name := range names {
		g.Go(func() error { return f(name) })
	}
	return g.Wait()
}

func (n *Network) start(ctx context.Context, name string) error {
	if err := n.runner.start(ctx, name, n.NodeDir(name)); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return nil
}

// copyProgram keeps an own copy: what `go run` builds is gone when it ends.
func copyProgram(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy program: %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return fmt.Errorf("copy program: %w", err)
	}
	_, err = io.Copy(dst, src)
	if err := errors.Join(err, dst.Close()); err != nil {
		return fmt.Errorf("copy program: %w", err)
	}
	return nil
}
