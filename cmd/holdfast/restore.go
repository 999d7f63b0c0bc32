package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"holdfast/vault"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

func restoreCommand(a *app) *cobra.Command {
	var f vault.Filter
	var o snapshot.RestoreOptions
	var include, exclude []string
	var overwrite string
	c := &cobra.Command{
		Use: "restore SNAP[:PATH] --target DIR", Short: "write a snapshot's files into a folder", GroupID: groupRecovery, Args: exactly(1),
		Long: "Writes under DIR what SNAP holds, with its full paths; with SNAP:PATH, what is in PATH. Nothing\n" +
			"is ever written outside DIR. The same command continues an interrupted restore: what is\n" +
			"already there and the same is not fetched again. \"latest\" is the newest complete snapshot.",
		Example: "  holdfast restore latest --target /srv/restore\n  holdfast restore 9e07c1aa:/srv/shop --target /srv/shop --verify",
		RunE: func(c *cobra.Command, args []string) error {
			if o.Target == "" {
				return usagef("--target is needed: the folder to restore into")
			}
			var err error
			if o.Overwrite, err = snapshot.ParseOverwrite(overwrite); err != nil {
				return usage(err)
			}
			if o.Include, err = snapshot.NewMatcher(include, nil); err != nil {
				return usage(err)
			}
			if o.Exclude, err = snapshot.NewMatcher(exclude, nil); err != nil {
				return usage(err)
			}
			return a.restore(c.Context(), args[0], f, o)
		},
	}
	filterFlags(c, &f)
	fl := c.Flags()
	fl.StringVar(&o.Target, "target", "", "the folder to restore into")
	fl.StringArrayVar(&include, "include", nil, "pattern of what to restore")
	fl.StringArrayVar(&exclude, "exclude", nil, "pattern of what to leave out")
	fl.BoolVarP(&o.DryRun, "dry-run", "n", false, "write nothing; say what would be done")
	fl.StringVar(&overwrite, "overwrite", "if-changed", "what to do with files that are there: if-changed, always or never")
	fl.BoolVar(&o.Verify, "verify", false, "read every restored file again and compare")
	return c
}

var errNotRestored = errors.New("some files could not be restored; they are listed above")

func (a *app) restore(ctx context.Context, arg string, f vault.Filter, o snapshot.RestoreOptions) error {
	start := time.Now()
	s, st, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	ref, sub := splitRef(arg)
	snap, err := s.Resolve(ctx, ref, f)
	if err != nil {
		return err
	}
	count, files := &object.Counters{}, &snapshot.Counters{}
	v, err := s.Read(ctx, snap, count)
	if err != nil {
		return err
	}
	defer v.Close()
	o.Counters, o.Check, o.Sync = files, s.CheckChunk, true
	total := func() int64 {
		if sub == "/" {
			return snap.Info.Stats.Bytes
		}
		return 0
	}
	bars := a.watch(ctx, []stage{{"fetch", func() int64 { return files.Bytes.Load() + files.SkippedBytes.Load() }, total}},
		func() map[string]any {
			return map[string]any{"files_restored": files.Files.Load(), "total_files": snap.Info.Stats.Files}
		})
	r := snapshot.Restorer{Source: v, Options: o}
	sum, err := r.Restore(ctx, snap.Info.Root, sub)
	bars.close()
	a.printFailures(sum)
	if err != nil {
		return err
	}
	a.printRestore(snap, sum, count, st, o.DryRun, time.Since(start))
	return a.restoreEnd(sum)
}

// printFailures lists what was not restored.
func (a *app) printFailures(sum snapshot.Summary) {
	for _, f := range sum.Failures {
		if a.json {
			fields := map[string]any{"message_type": "error", "during": "restore", "item": f.Path, "error": map[string]any{"message": f.Err.Error()}}
			a.emitErr(fields)
			continue
		}
		a.warn("%s: %v", f.Path, f.Err)
	}
}

func (a *app) printRestore(snap vault.Snapshot, sum snapshot.Summary, count *object.Counters, st vault.Standing, dry bool, took time.Duration) {
	if a.json {
		a.emit(map[string]any{
			"message_type": "summary", "snapshot_id": snap.ID(), "files_restored": sum.Files, "dirs_restored": sum.Dirs, "files_skipped": sum.Skipped,
			"bytes_restored": sum.Bytes, "bytes_skipped": sum.SkippedBytes, "files_failed": sum.Failed, "seconds_elapsed": took.Seconds(),
			"dry_run": dry, "decoded": count.Decoded.Load(), "freshness": st.Freshness.String(),
		})
		return
	}
	verb := "restored"
	if dry {
		verb = "would restore"
	}
	a.printf("%s %s, %s from snapshot %s in %s; %d were there already\n", verb, plural(int(sum.Files), "file"), formatSize(sum.Bytes), snap.ID()[:8], formatSpan(took), sum.Skipped)
}

// restoreEnd chooses the exit code by the worst of what was not restored.
func (a *app) restoreEnd(sum snapshot.Summary) error {
	if sum.Failed == 0 {
		return nil
	}
	for _, f := range sum.Failures {
		switch {
		case errors.Is(f.Err, object.ErrLost):
			return withHint(errNotRestored, exitLost, "the list above is what is lost; everything else was restored")
		case errors.Is(f.Err, object.ErrOutOfReach):
			return withHint(errNotRestored, exitOutOfReach, "run the same command again when more nodes are up; it continues")
		}
	}
	return withHint(errNotRestored, exitUnread, "see the reasons above; the same command continues")
}
