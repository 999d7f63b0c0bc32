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

// Config says what is to be measured, and where.
type Config struct {
	Dir     string // an empty folder; what is left in it is the caller's to remove
	Program string // the holdfast executable
	Size    int64  // bytes of the large file
	Files   int    // in the tree
	Nodes   int    // each of an operator of its own
	Parts   []Part // all if empty
	Runs    int    // the whole is done as often; 0 is once
	Seed    uint64 // of all data

	Progress func(text string) // told what begins and what came of it; may be nil
}

// Report is what was measured.
type Report struct {
	Machine    Machine
	Primitives []Primitive
	Rows       []Row
}

// vaultName is what the client calls its only vault.
const vaultName = "bench"

// downPatience is how long the nodes have to end.
const downPatience = 30 * time.Second

// Run measures. With an error it returns what it has got so far. Whatever happens,
// no process is left when it returns.
func Run(ctx context.Context, c Config) (Report, error) {
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if len(c.Parts) == 0 {
		c.Parts = Parts()
	}
	b := &bench{Config: c, choice: choose(c.Parts), machine: thisMachine()}
	var failed error
	for i := range max(1, c.Runs) {
		if failed = b.run(ctx, i); failed != nil {
			break
		}
	}
	return b.report(), failed
}

// bench is a benchmark under way.
type bench struct {
	Config
	choice     choice
	machine    Machine
	primitives []Primitive // of all runs
	samples    []sample    // of all runs

	file file
}

func (b *bench) report() Report {
	return Report{Machine: b.machine, Primitives: merge(b.primitives), Rows: summarize(b.samples)}
}

// run does everything once, with a network and a vault of its own.
func (b *bench) run(ctx context.Context, i int) error {
	if err := b.sources(ctx); err != nil {
		return err
	}
	if b.choice.parts[Primitives] {
		if err := b.measurePrimitives(ctx); err != nil {
			return err
		}
	}
	if !b.choice.network() {
		return nil
	}
	return b.withNetwork(ctx, filepath.Join(b.Dir, fmt.Sprintf("run-%d", i+1)), func(r *round) error { return r.all(ctx) })
}

// sources makes what is stored, once for all runs.
func (b *bench) sources(ctx context.Context) (err error) {
	if b.choice.file && b.file.path == "" {
		b.Progress(fmt.Sprintf("make a file of %d bytes", b.Size))
		if b.file, err = writeRandom(filepath.Join(b.Dir, "source.bin"), b.Size, b.Seed); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// round is one run against one network.
type round struct {
	*bench
	client  client
	network *testnet.Network
	nodes   nodes
	dir     string
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
			err = os.RemoveAll(dir)
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
func (r *round) all(ctx context.Context) error {
	for _, step := range []struct {
		wanted bool
		do     func(context.Context) error
	}{
		{r.choice.parts[Put], r.put},
		{r.choice.parts[Get], r.get},
	} {
		if !step.wanted {
			continue
		}
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// command measures one command of the program. What s says of it already is kept.
func (r *round) command(ctx context.Context, s sample, args ...string) (summary, error) {
	settle()
	before := r.nodes.begin()
	out, err := r.client.run(ctx, args...)
	if err != nil {
		return out.summary, fmt.Errorf("%s %s: %w", s.source, s.op, err)
	}
	s.client, s.below, s.segments = out.cost, out.below, out.Segments
	s.nodesCPU, s.nodesPeak = r.nodes.cpu()-before, r.nodes.peak()
	r.note(s)
	return out.summary, nil
}

// note keeps a sample and tells of it.
func (b *bench) note(s sample) {
	b.samples = append(b.samples, s)
	row := rowOf([]sample{s})
	if row.Latency.Count > 0 {
		b.Progress(fmt.Sprintf("%s %s: p50 %.1f ms, p99 %.1f ms", s.source, s.op, row.Latency.P50*1e3, row.Latency.P99*1e3))
		return
	}
	b.Progress(fmt.Sprintf("%s %s: %.0f MB/s, %.2f s", s.source, s.op, row.MBps.Median, row.Seconds.Median))
}
