package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/testnet/bench"
)

const (
	benchSize  = "1GiB"
	benchFiles = 20_000
	quickSize  = "128MiB"
	quickFiles = 2_000
	quickEach  = 100 * time.Millisecond
)

func testnetBench(a *app) *cobra.Command {
	var config bench.Config
	var size string
	var only []string
	var quick bool
	c := &cobra.Command{
		Use: "bench", Short: "measure this machine's limits, and holdfast against them", Args: exactly(0),
		Long: "Measures the primitives of the data path, then the program itself against a network of node\n" +
			"processes on loopback, with every shard flushed to disk: throughput, CPU and memory of client and\n" +
			"nodes, and how near that is to the floor that the primitives set. Sources are in the page cache.\n" +
			"Everything that comes back is compared with its source. It needs room for about six times SIZE, and\n" +
			"4 GB for the tree; nothing is left behind. Run it when nothing else runs: the column 'rest' tells what did.",
		Example: "  holdfast testnet bench --quick\n  holdfast testnet bench --only put,get --runs 3 --dir /srv/scratch",
		RunE: func(c *cobra.Command, _ []string) error {
			if quick {
				if !c.Flags().Changed("size") {
					size = quickSize
				}
				if !c.Flags().Changed("files") {
					config.Files = quickFiles
				}
				config.Each = quickEach
			}
			if config.Runs < 1 {
				return usagef("--runs: at least 1")
			}
			var err error
			if config.Size, err = parseSize(size); err != nil {
				return err
			}
			if config.Parts, err = bench.ParseParts(only); err != nil {
				return usage(err)
			}
			if config.Program, err = os.Executable(); err != nil {
				return err
			}
			signal.Ignore(syscall.SIGPIPE) // whoever reads along may go; what was begun is cleaned up
			ctx, stop := untilOrphaned(c.Context())
			defer stop()
			return a.bench(ctx, config)
		},
	}
	f := c.Flags()
	f.StringVar(&config.Dir, "dir", "", "where a scratch folder is made (default: the system's)")
	f.StringVar(&size, "size", benchSize, "size of the incompressible file")
	f.IntVar(&config.Files, "files", benchFiles, "number of files in the tree")
	f.IntVar(&config.Nodes, "nodes", 8, "number of nodes, each of its own operator")
	f.StringSliceVar(&only, "only", nil, "parts: "+partNames())
	f.IntVar(&config.Runs, "runs", 1, "do all of it as often; figures are medians")
	f.Uint64Var(&config.Seed, "seed", 1, "of the data")
	f.BoolVar(&quick, "quick", false, "a small one: --size "+quickSize+" --files 2000")
	return c
}

// bench runs the benchmark in a folder of its own and prints what came of it, also
// where it was broken off.
func (a *app) bench(ctx context.Context, config bench.Config) (err error) {
	config.Dir, err = os.MkdirTemp(config.Dir, "holdfast-bench-")
	if err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, removeAll(config.Dir)) }()
	if config.Dir, err = filepath.Abs(config.Dir); err != nil {
		return err
	}
	begun := time.Now()
	config.Progress = func(text string) { a.say("%6.1fs  %s", time.Since(begun).Seconds(), text) }
	report, err := bench.Run(ctx, config)
	a.printBench(report)
	switch {
	case ctx.Err() != nil:
		return interrupted{ctx.Err()}
	case errors.Is(err, bench.ErrConfig):
		return usage(err)
	case errors.Is(err, bench.ErrDiffers):
		return withHint(err, exitIntegrity, "the figures above are worth nothing; report this")
	}
	return err
}
