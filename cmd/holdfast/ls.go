package main

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/vault"
	"holdfast/vault/snapshot"
)

func lsCommand(a *app) *cobra.Command {
	var f vault.Filter
	var long bool
	c := &cobra.Command{
		Use: "ls SNAP [PATH]", Short: "list the files in a snapshot", GroupID: groupMerchant, Args: between(1, 2),
		Example: "  holdfast ls latest\n  holdfast ls 9e07c1aa /srv/shop --long",
		RunE: func(c *cobra.Command, args []string) error {
			ref, sub := splitRef(args[0])
			if len(args) == 2 {
				sub = args[1]
			}
			v, done, err := a.view(c.Context(), ref, f)
			if err != nil {
				return err
			}
			defer done()
			if a.json {
				a.emit(snapshotJSON(v.Snapshot))
			}
			return snapshot.Walk(c.Context(), v, v.Snapshot.Info.Root, sub, func(path string, n *snapshot.Node) error {
				a.printNodeLine(path, n, long)
				return nil
			})
		},
	}
	filterFlags(c, &f)
	c.Flags().BoolVarP(&long, "long", "l", false, "with mode, owner, size and time")
	return c
}

// splitRef parts SNAP:PATH.
func splitRef(arg string) (ref, sub string) {
	ref, sub, _ = strings.Cut(arg, ":")
	return ref, path.Clean("/" + sub)
}

// view opens a snapshot for reading. The function that it returns closes everything.
func (a *app) view(ctx context.Context, ref string, f vault.Filter) (*vault.View, func(), error) {
	s, _, err := a.synced(ctx)
	if err != nil {
		return nil, nil, err
	}
	snap, err := s.Resolve(ctx, ref, f)
	if err == nil {
		var v *vault.View
		if v, err = s.Read(ctx, snap, nil); err == nil {
			return v, func() { v.Close(); s.Close() }, nil
		}
	}
	s.Close()
	return nil, nil, err
}

func (a *app) printNodeLine(path string, n *snapshot.Node, long bool) {
	if a.json {
		fields := map[string]any{
			"message_type": "node", "struct_type": "node", "name": strings.ToValidUTF8(string(n.Name), "\uFFFD"), "type": string(n.Type),
			"size": n.Size, "mode": n.Mode, "permissions": modeText(n), "uid": n.UID, "gid": n.GID, "mtime": n.MTime.Time(),
		}
		if len(n.Target) > 0 {
			fields["linktarget"] = strings.ToValidUTF8(string(n.Target), "\uFFFD")
		}
		pathField(fields, path)
		a.emit(fields)
		return
	}
	if !long {
		a.printf("%s\n", path)
		return
	}
	target := ""
	if n.Type == snapshot.Symlink {
		target = " -> " + string(n.Target)
	}
	a.printf("%s %5d %5d %12d %s %s%s\n", modeText(n), n.UID, n.GID, n.Size, n.MTime.Time().Format(time.DateTime), path, target)
}

// modeText is what `ls -l` prints.
func modeText(n *snapshot.Node) string {
	kinds := map[snapshot.Type]byte{snapshot.Dir: 'd', snapshot.Symlink: 'l', snapshot.Fifo: 'p', snapshot.Socket: 's', snapshot.Char: 'c', snapshot.Block: 'b'}
	kind, ok := kinds[n.Type]
	if !ok {
		kind = '-'
	}
	return fmt.Sprintf("%c%s", kind, fs.FileMode(n.Mode & 0o777).String()[1:])
}
