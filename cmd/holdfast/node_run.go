package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodeRun(a *app) *cobra.Command {
	var dir, level string
	var withStdin bool
	c := &cobra.Command{
		Use: "run --dir DIR", Short: "run a node until it is told to stop", Args: exactly(0),
		Long:    "Runs the node in the foreground; its log goes to standard error. If its volume is not there\n(not mounted, say), the node is paused: it takes nothing, writes nothing elsewhere, and goes\non by itself when the volume is back.",
		Example: "  holdfast node run --dir /srv/holdfast",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			log, err := a.logger(level)
			if err != nil {
				return err
			}
			ctx := c.Context()
			if withStdin {
				var stop context.CancelFunc
				ctx, stop = untilClosed(ctx, a.in)
				defer stop()
			}
			saveMemory()
			n, err := node.Open(ctx, dir, node.Options{Log: log})
			if err != nil {
				return err
			}
			return n.Run(ctx)
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	c.Flags().BoolVar(&withStdin, "exit-with-stdin", false, "stop when standard input is closed: a supervisor that dies takes the node with it")
	return c
}

// logger writes text for a person and JSON for a machine, to standard error.
func (a *app) logger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("--log-level: %q is none of debug, info, warn, error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	if terminal(a.err) {
		return slog.New(slog.NewTextHandler(a.err, o)), nil
	}
	return slog.New(slog.NewJSONHandler(a.err, o)), nil
}

// untilClosed ends the context when r does. Its goroutine ends with r, or with the
// program.
func untilClosed(ctx context.Context, r io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, r)
		cancel()
	}()
	return ctx, cancel
}
