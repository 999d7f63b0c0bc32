package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast/testnet"
)

// vaultName is what the client calls its only vault.
const vaultName = "bench"

// downPatience is how long the nodes have to end.
const downPatience = 30 * time.Second

// round is one run against one network.
type round struct {
	*bench
	client  client
	network *testnet.Network
	nodes   nodes
	dir     string
	stored  stored
}

// withNetwork starts a network and makes a vault for f, and takes both away again.
func (b *bench) withNetwork(ctx context.Context, dir string, f func(*round) error) (err error) {
	b.Progress(fmt.Sprintf("start %d nodes", b.Nodes))
	network, err := testnet.Up(ctx, testnet.Config{
		Dir: filepath.Join(dir, "net"), Nodes: b.Nodes, Network: "test-bench", Program: b.Program, Attached: true,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downPatience)
		defer cancel()
		err = errors.Join(err, network.Down(ctx))
		if err == nil {
			err = removeTree(dir)
		}
	}()
	r := &round{bench: b, network: network, dir: dir, client: client{b.Program, filepath.Join(dir, "machine")}}
	r.nodes = nodesOf(ctx, network)
	if err := os.MkdirAll(r.client.dir, 0o700); err != nil {
		return err
	}
	_, err = r.client.run(ctx, "vault", "create", vaultName, "--bootstrap", network.BootstrapFile(), "--kit", filepath.Join(dir, "kit.txt"), "--yes")
	if err != nil {
		return err
	}
	return f(r)
}

// all does the parts that need a network, in their order.
func (r *round) all(ctx context.Context, run uint64) error {
	steps := map[Part]func(context.Context) error{
		Put: r.put, Get: r.get, Range: r.ranges, Tree: r.trees, Commit: r.commits, Again: r.again,
		Changed:  func(ctx context.Context) error { return r.changed(ctx, r.Seed+run+1) },
		Degraded: r.degraded,
	}
	for _, p := range Parts() {
		if do := steps[p]; do == nil || !r.choice.parts[p] {
			continue
		} else if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// command measures one command of the program. What s says of it already is kept.
func (r *round) command(ctx context.Context, s sample, args ...string) (sample, summary, error) {
	settle()
	before, rest := r.nodes.begin(), busyCPU()-ownCPU()
	out, err := r.client.run(ctx, args...)
	if err != nil {
		return s, out.summary, fmt.Errorf("%s %s: %w", s.source, s.op, err)
	}
	s.client, s.below, s.segments = out.cost, out.below, out.Segments
	s.nodesCPU, s.nodesPeak = r.nodes.cpu()-before, r.nodes.peak()
	s.restCPU = max(0, busyCPU()-ownCPU()-rest-s.client.cpu-s.nodesCPU)
	return s, out.summary, nil
}

// floor prices terms by this run's primitives.
func (b *bench) floor(terms []Term) Floor { return floorOf(terms, b.primitives, b.machine.Cores) }
