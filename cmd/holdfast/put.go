package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/vault"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

func putCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "put FILE|-", Short: "store one object and print its CID", GroupID: groupMerchant, Args: exactly(1),
		Long:    "Stores a file, or standard input, and prints the CID of its plaintext (v1, raw, BLAKE3). The CID\nis kept under the seal: no node learns it.",
		Example: "  holdfast put contract.pdf\n  tar c dir | holdfast put -",
		RunE: func(c *cobra.Command, args []string) error {
			r, name, err := a.openObject(args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			return a.put(c.Context(), name, r)
		},
	}
}

func (a *app) openObject(arg string) (io.ReadCloser, string, error) {
	if arg == "-" {
		return io.NopCloser(a.in), "stdin", nil
	}
	info, err := os.Stat(arg) // before it is opened: a pipe without a writer would hold us up
	if err == nil && info.IsDir() {
		return nil, "", usagef("%s is a folder; use holdfast backup", arg)
	}
	if err == nil && !info.Mode().IsRegular() {
		return nil, "", usagef("%s is no regular file; use holdfast put - < %s", arg, arg)
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, "", withHint(err, exitFailed, "name a file that can be read")
	}
	return f, filepath.Base(arg), nil
}

func (a *app) put(ctx context.Context, name string, r io.Reader) error {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	start := time.Now()
	if _, err := s.Begin(ctx); err != nil {
		return err
	}
	count, files := &object.Counters{}, &snapshot.Counters{}
	bars := a.watch(ctx, []stage{
		{"read", files.Bytes.Load, func() int64 { return 0 }},
		{"place", count.Placed.Load, count.Coded.Load},
	}, nil)
	b := vault.Backup{
		Name: name, Stream: r, Object: true, Program: "holdfast " + version(), Count: count,
		Archive: snapshot.ArchiveOptions{Counters: files},
	}
	kept := a.watchCheckpoints(&b, bars)
	result, err := s.Backup(ctx, b)
	bars.close()
	if err != nil {
		return kept.explain(err)
	}
	cid := result.Snapshot.Object
	if a.json {
		a.emit(map[string]any{
			"message_type": "summary", "cid": cid.String(), "snapshot_id": result.ID(), "total_bytes_processed": result.Snapshot.Stats.Bytes,
			"total_duration": time.Since(start).Seconds(), "durability": result.Durability, "law": listOf(result.Law), "complete": result.Complete(),
		})
	} else {
		a.printf("%s\n", cid)
	}
	a.sayLaw(result.Law)
	return a.backupEnd(result)
}

func getCommand(a *app) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "get CID", Short: "write one object to standard output, or into a file", GroupID: groupRecovery, Args: exactly(1),
		Example: "  holdfast get bafkr4i... > contract.pdf\n  holdfast get bafkr4i... --output contract.pdf",
		RunE: func(c *cobra.Command, args []string) error {
			cid, err := ident.ParseCID(args[0])
			if err != nil {
				return usage(err)
			}
			if output == "" && a.json {
				return usagef("--json prints lines, not an object; use --output FILE")
			}
			if output == "" && terminal(a.out) {
				return usagef("standard output is a terminal; use --output FILE, or send it into a file or a pipe")
			}
			return a.get(c.Context(), cid, output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write to this file; it appears when it is complete")
	return c
}

func (a *app) get(ctx context.Context, cid ident.CID, output string) error {
	s, _, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	snap, err := s.FindObject(ctx, cid)
	if err != nil {
		return err
	}
	count := &object.Counters{}
	v, err := s.Read(ctx, snap, count)
	if err != nil {
		return err
	}
	defer v.Close()
	bars := a.watch(ctx, []stage{{"fetch", count.Restored.Load, func() int64 { return snap.Info.Stats.Bytes }}}, nil)
	defer bars.close()
	if output == "" {
		w := bufio.NewWriterSize(a.out, 256<<10)
		if err := v.WriteObject(ctx, w); err != nil {
			return err
		}
		return w.Flush()
	}
	f, err := atomicfile.Create(output)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := v.WriteObject(ctx, f); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	if a.json {
		a.emit(map[string]any{"message_type": "summary", "cid": cid.String(), "output": output, "bytes_restored": snap.Info.Stats.Bytes})
	}
	return nil
}
