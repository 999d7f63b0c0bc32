package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// app is what every verb has at hand: the streams, and the flags that all share.
type app struct {
	in       io.Reader
	out, err io.Writer

	json  bool
	quiet bool
	vault string

	reported bool // an exit code was chosen and said by the verb itself
}

func stdio() *app { return &app{in: os.Stdin, out: os.Stdout, err: os.Stderr} }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, a *app) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone.code
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		err = interrupted{err}
	}
	return a.fail(err)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "holdfast",
		Short:         "backups that no server and no administrator can destroy",
		Long:          rootHelp,
		Example:       "  holdfast demo\n  holdfast vault create shop --bootstrap ADDR\n  holdfast backup /srv/shop\n  holdfast status",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("holdfast {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print JSON lines on standard output, and nothing else")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress, no status lines")
	root.AddGroup(
		&cobra.Group{ID: groupTry, Title: "Try it out:"},
		&cobra.Group{ID: groupMerchant, Title: "Back up and restore:"},
		&cobra.Group{ID: groupRecovery, Title: "On the worst day:"},
		&cobra.Group{ID: groupGuardian, Title: "Guard a vault:"},
		&cobra.Group{ID: groupOperator, Title: "Contribute disk:"},
	)
	for _, c := range commands(a) {
		strictFamily(c)
		root.AddCommand(c)
	}
	return root
}

// strictFamily makes a word that is none of a command's subcommands a usage error.
// By itself cobra prints the help and calls that a success.
func strictFamily(c *cobra.Command) {
	if !c.HasSubCommands() || c.Runnable() {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("unknown command %q for %q", args[0], c.CommandPath())
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	for _, sub := range c.Commands() {
		strictFamily(sub)
	}
}

const (
	groupTry      = "try"
	groupMerchant = "merchant"
	groupRecovery = "recovery"
	groupGuardian = "guardian"
	groupOperator = "operator"
)

const rootHelp = `holdfast keeps backups on many independent operators' disks. Files are cut,
compressed, encrypted, erasure-coded and spread over nodes that are found through a
DHT. Destroying data takes a majority: of operators' disks, of members' votes, and time.`

// version is what the build says of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0"
}

// terminal reports whether w is one, so that bars and escape codes are welcome.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// exactly and between are cobra's checks of arguments as usage errors.
func exactly(n int) cobra.PositionalArgs { return argCheck(cobra.ExactArgs(n)) }
func between(lo, hi int) cobra.PositionalArgs {
	return argCheck(cobra.RangeArgs(lo, hi))
}

func argCheck(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check(c, args) != nil {
			return usagef("%s takes other arguments than the %d given: %s", c.CommandPath(), len(args), c.UseLine())
		}
		return nil
	}
}
