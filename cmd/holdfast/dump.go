package main

import (
	"bufio"

	"github.com/spf13/cobra"

	"holdfast/vault"
	"holdfast/vault/snapshot"
)

func dumpCommand(a *app) *cobra.Command {
	var f vault.Filter
	c := &cobra.Command{
		Use: "dump SNAP:PATH", Short: "write one file, or a folder as tar, to standard output", GroupID: groupRecovery, Args: exactly(1),
		Example: "  holdfast dump latest:/shop.sql | psql shop\n  holdfast dump latest:/srv/shop > shop.tar",
		RunE: func(c *cobra.Command, args []string) error {
			if a.json {
				return usagef("--json prints lines, not a file; use holdfast restore")
			}
			if terminal(a.out) {
				return usagef("standard output is a terminal; send it into a file or a pipe")
			}
			ref, sub := splitRef(args[0])
			v, done, err := a.view(c.Context(), ref, f)
			if err != nil {
				return err
			}
			defer done()
			root := v.Snapshot.Info.Root
			n, err := snapshot.Find(c.Context(), v, root, sub)
			if err != nil {
				return err
			}
			w := bufio.NewWriterSize(a.out, 256<<10)
			if n.Type == snapshot.Dir {
				err = snapshot.Tar(c.Context(), v, root, sub, w)
			} else {
				err = snapshot.Dump(c.Context(), v, root, sub, w)
			}
			if err != nil {
				return err
			}
			return w.Flush()
		},
	}
	filterFlags(c, &f)
	return c
}
