package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"holdfast/erasure"
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

	Each time.Duration // how long each primitive is measured, alone and at once; 0 is half a second

	Progress func(text string) // told what begins and what came of it; may be nil
}

// ErrConfig says that nothing can be measured with such sizes.
var ErrConfig = errors.New("too small or too large for a benchmark")

// minSize is the smallest large file.
const minSize = 1 << 20

// Report is what was measured.
type Report struct {
	Machine    Machine
	Primitives []Primitive
	Rows       []Row
}

// defaultEach is long enough for figures that repeat within a few percent.
const defaultEach = 500 * time.Millisecond

// Run measures. With an error it returns what it has got so far. Whatever happens,
// no process is left when it returns.
func Run(ctx context.Context, c Config) (Report, error) {
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if len(c.Parts) == 0 {
		c.Parts = Parts()
	}
	if c.Each == 0 {
		c.Each = defaultEach
	}
	code, err := erasure.ForOperators(c.Nodes)
	if err != nil || c.Size < minSize || c.Files < 1 || c.Nodes > testnet.MaxNodes {
		return Report{}, fmt.Errorf("%w: %d bytes, %d files, %d nodes", ErrConfig, c.Size, c.Files, c.Nodes)
	}
	b := &bench{Config: c, choice: choose(c.Parts), machine: thisMachine(), code: code}
	var failed error
	for i := range max(1, c.Runs) {
		if failed = b.run(ctx, i); failed != nil {
			failed = errors.Join(failed, ctx.Err())
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
	code       erasure.Code // of the vault
	primitives []Primitive  // of all runs
	samples    []sample     // of all runs

	file file
	tree tree
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
	return b.withNetwork(ctx, filepath.Join(b.Dir, fmt.Sprintf("run-%d", i+1)), func(r *round) error { return r.all(ctx, uint64(i)) })
}

// sources makes what is stored, once for all runs.
func (b *bench) sources(ctx context.Context) (err error) {
	if b.choice.file && b.file.path == "" {
		b.Progress(fmt.Sprintf("make a file of %d bytes", b.Size))
		if b.file, err = writeRandom(filepath.Join(b.Dir, "source.bin"), b.Size, b.Seed); err != nil {
			return err
		}
	}
	if b.choice.tree && b.tree.dir == "" {
		b.Progress(fmt.Sprintf("make a tree of %d files", b.Files))
		if b.tree, err = writeTree(ctx, filepath.Join(b.Dir, "source"), b.Files, b.Seed); err != nil {
			return err
		}
	}
	return ctx.Err()
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
