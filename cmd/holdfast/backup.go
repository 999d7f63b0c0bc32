package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"holdfast/vault"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// backupFlags are the flags of `backup`.
type backupFlags struct {
	tags, exclude, iexclude, excludeFiles, ifPresent, filesFrom []string
	caches, oneFS, dryRun, force                                bool
	host, stdinName, metrics                                    string
	command                                                     bool
}

func backupCommand(a *app) *cobra.Command {
	var f backupFlags
	c := &cobra.Command{
		Use: "backup PATH...", Short: "store files, folders or a stream as a snapshot", GroupID: groupMerchant,
		Long: "Reads the paths and stores what is new. It says \"durable\" only when the shards are on the\n" +
			"operators' disks and a quorum of the members has the certificate.\n\n" +
			"At least every 5 minutes or 4 GiB it makes a checkpoint: a snapshot of its own, marked partial,\n" +
			"with all files that are complete. After an interruption of any kind the same command continues\n" +
			"from it: what is in it is neither read nor sent again. Ctrl-C makes a last one, if 64 MiB or more\n" +
			"would be lost and it can be done in 20 seconds; a second Ctrl-C ends at once. \"latest\" is never\n" +
			"a checkpoint; name it by its ID to restore from it.\n\n" +
			"Exit codes: 0 done; 3 done, some sources could not be read; 4 saved below the target.",
		Example: "  holdfast backup /srv/shop --exclude '*.tmp' --tag nightly\n  pg_dump shop | holdfast backup --stdin-name shop.sql\n  holdfast backup --stdin-name shop.sql --from-command -- pg_dump shop",
		RunE: func(c *cobra.Command, args []string) error {
			b, done, err := a.backupConfig(c.Context(), args, f)
			if err != nil {
				return err
			}
			defer done()
			if f.dryRun {
				return a.dryRun(c.Context(), b)
			}
			return a.backup(c.Context(), b, f.metrics)
		},
	}
	fl := c.Flags()
	fl.StringSliceVar(&f.tags, "tag", nil, "tag of the snapshot")
	fl.StringVar(&f.host, "host", "", "host name in the snapshot (default: this machine's)")
	fl.StringArrayVar(&f.exclude, "exclude", nil, "pattern of what to leave out")
	fl.StringArrayVar(&f.iexclude, "iexclude", nil, "the same, upper and lower case alike")
	fl.StringArrayVar(&f.excludeFiles, "exclude-file", nil, "file with a pattern a line")
	fl.BoolVar(&f.caches, "exclude-caches", false, "leave out folders with a CACHEDIR.TAG")
	fl.StringArrayVar(&f.ifPresent, "exclude-if-present", nil, "leave out folders that hold this file")
	fl.BoolVar(&f.oneFS, "one-file-system", false, "stay on the file systems of the given paths")
	fl.StringArrayVar(&f.filesFrom, "files-from", nil, "file with a path a line; - for standard input")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "read nothing and store nothing; say what would be done")
	fl.BoolVar(&f.force, "force", false, "read all files again, also those that seem unchanged")
	fl.StringVar(&f.stdinName, "stdin-name", "", "store standard input as a file of this name")
	fl.BoolVar(&f.command, "from-command", false, "store what the command behind -- prints; if it fails there is no snapshot")
	fl.StringVar(&f.metrics, "metrics-textfile", "", "write when and what was backed up to FILE, for a textfile collector of Prometheus")
	return c
}

// backupConfig turns flags into what to back up. The function that it returns
// closes what was opened.
func (a *app) backupConfig(ctx context.Context, args []string, f backupFlags) (vault.Backup, func(), error) {
	nothing := func() {}
	b := vault.Backup{Host: f.host, Tags: f.tags, Program: "holdfast " + version(), Force: f.force}
	if f.command || f.stdinName != "" {
		return a.streamConfig(ctx, b, args, f)
	}
	var err error
	if b.Paths, err = a.pathsFrom(args, f.filesFrom); err != nil {
		return b, nothing, err
	}
	if len(b.Paths) == 0 {
		return b, nothing, usagef("name what to back up: a PATH, --files-from or --stdin-name")
	}
	patterns, err := readPatterns(f.excludeFiles)
	if err != nil {
		return b, nothing, err
	}
	matcher, err := snapshot.NewMatcher(append(f.exclude, patterns...), f.iexclude)
	if err != nil {
		return b, nothing, usage(err)
	}
	b.Archive = snapshot.ArchiveOptions{
		Exclude: matcher, ExcludeCaches: f.caches, ExcludeIfPresent: f.ifPresent, OneFileSystem: f.oneFS,
	}
	return b, nothing, nil
}

func (a *app) streamConfig(ctx context.Context, b vault.Backup, args []string, f backupFlags) (vault.Backup, func(), error) {
	nothing := func() {}
	if f.stdinName == "" {
		return b, nothing, usagef("--stdin-name is needed: what the stream is to be called")
	}
	b.Name, b.Stream = f.stdinName, a.in
	if !f.command {
		if len(args) > 0 {
			return b, nothing, usagef("either paths or --stdin-name")
		}
		return b, nothing, nil
	}
	if len(args) == 0 {
		return b, nothing, usagef("--from-command needs a command behind --")
	}
	r, stop, err := startCommand(ctx, args, a.err)
	b.Stream = r
	return b, stop, err
}

// commandStream is a command's output; its failure is an error at the end of the
// stream, so that half a dump never becomes a snapshot.
type commandStream struct {
	io.Reader
	cmd    *exec.Cmd
	waited bool
}

var errCommand = errors.New("the command failed; no snapshot was made")

func startCommand(ctx context.Context, args []string, stderr io.Writer) (io.Reader, func(), error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, func() {}, withHint(err, exitUsage, "name a command that can be run")
	}
	s := &commandStream{Reader: out, cmd: cmd}
	return s, s.stop, nil
}

func (s *commandStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF && !s.waited {
		s.waited = true
		if failed := s.cmd.Wait(); failed != nil {
			return n, errors.Join(errCommand, failed)
		}
	}
	return n, err
}

func (s *commandStream) stop() {
	if !s.waited {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}

func (a *app) pathsFrom(args, files []string) ([]string, error) {
	paths := args
	for _, name := range files {
		var r io.Reader = a.in
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return nil, usage(err)
			}
			defer f.Close()
			r = f
		}
		more, err := snapshot.ReadList(bufio.NewReader(r))
		if err != nil {
			return nil, err
		}
		paths = append(paths, more...)
	}
	return paths, nil
}

func readPatterns(files []string) ([]string, error) {
	var out []string
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage(err)
		}
		more, err := snapshot.ReadList(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (a *app) dryRun(ctx context.Context, b vault.Backup) error {
	archiver := snapshot.Archiver{Options: b.Archive}
	_, stats, unread, err := archiver.Paths(ctx, b.Paths)
	if err != nil {
		return err
	}
	if a.json {
		a.emit(map[string]any{"message_type": "summary", "dry_run": true, "total_files_processed": stats.Files, "total_bytes_processed": stats.Bytes})
	} else {
		a.printf("would back up %s in %s, %s\n", plural(int(stats.Files), "file"), plural(int(stats.Dirs), "folder"), formatSize(stats.Bytes))
	}
	return a.unread(unread)
}

// backup makes the snapshot. If metrics is not empty it names a file: see writeMetrics.
func (a *app) backup(ctx context.Context, b vault.Backup, metrics string) error {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	start := time.Now()
	st, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	a.warnStanding(st)
	count, files := &object.Counters{}, &snapshot.Counters{}
	b.Count, b.Archive.Counters = count, files
	total, scanned := a.scan(ctx, b)
	bars := a.watch(ctx, []stage{
		{"read", func() int64 { return files.Bytes.Load() + files.SkippedBytes.Load() }, total},
		{"place", count.Placed.Load, count.Coded.Load},
	}, func() map[string]any { return map[string]any{"files_done": files.Files.Load()} })
	kept := a.watchCheckpoints(&b, bars)
	r, err := s.Backup(ctx, b)
	scanned()
	bars.close()
	if err != nil {
		return kept.explain(err)
	}
	took := time.Since(start)
	a.printBackup(r, took)
	if metrics != "" {
		if err := writeMetrics(metrics, b, r, took); err != nil {
			a.warn("the metrics could not be written: %v", err)
		}
	}
	a.sayLaw(r.Law)
	return a.backupEnd(r)
}

// scan walks the sources beside the backup, so that the bar knows its end, once the
// backup has taken long enough for somebody to look at the bar. Total is 0 until the
// walk is through; stop ends it and waits for it.
func (a *app) scan(ctx context.Context, b vault.Backup) (total func() int64, stop func()) {
	var bytes atomic.Int64
	if b.Stream != nil || a.quiet {
		return bytes.Load, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	options := b.Archive
	options.Counters, options.Progress = nil, nil
	done := make(chan struct{})
	begin := time.NewTimer(a.patience())
	go func() {
		defer close(done)
		defer begin.Stop()
		select {
		case <-begin.C:
		case <-ctx.Done():
			return
		}
		archiver := snapshot.Archiver{Options: options}
		if _, stats, _, err := archiver.Paths(ctx, b.Paths); err == nil {
			bytes.Store(stats.Bytes)
		}
	}()
	return bytes.Load, func() { cancel(); <-done }
}

// patience is how long a backup takes before its end is worth a walk of its own: a
// second before somebody's eyes, or a program's; in a pipe, before the first line.
func (a *app) patience() time.Duration {
	if a.json || terminal(a.err) {
		return time.Second
	}
	return pipeEvery / 2
}

// backupEnd chooses the exit code of a backup that was acknowledged.
func (a *app) backupEnd(r vault.Result) error {
	if err := a.unread(r.Unread); err != nil {
		return err
	}
	if !r.Complete() {
		return withHint(errBelow, exitBelow, "run the same command again when more operators are up; holdfast status says what may be lost now")
	}
	return nil
}

var (
	errUnread = errors.New("some sources could not be read; they are listed above, and the snapshot was made without them")
	errBelow  = errors.New("saved, but below the target number of shards or members")
)

// unread lists what could not be read, and ends with exit code 3 if there is any.
func (a *app) unread(list []snapshot.Unread) error {
	for _, u := range list {
		if a.json {
			a.emitErr(map[string]any{"message_type": "error", "during": "archival", "item": string(u.Path), "error": map[string]any{"message": u.Error}})
			continue
		}
		a.warn("%s: %s", u.Path, u.Error)
	}
	if len(list) > 0 {
		return withHint(errUnread, exitUnread, "make them readable and run the same command again")
	}
	return nil
}

func (a *app) printBackup(r vault.Result, took time.Duration) {
	s, d := r.Snapshot.Stats, r.Durability
	if a.json {
		a.emit(map[string]any{
			"message_type": "summary", "snapshot_id": r.ID(), "total_files_processed": s.Files, "total_bytes_processed": s.Bytes,
			"total_dirs_processed": s.Dirs, "data_added": s.Added, "data_added_packed": s.Stored, "total_duration": took.Seconds(),
			"backup_start": r.Snapshot.Time.Time(), "backup_end": r.Snapshot.End.Time(), "durability": d, "law": listOf(r.Law),
			"members": r.Final.Members, "members_acked": r.Final.Acks, "complete": r.Complete(), "unread": s.Unread, "segments": r.Segments,
		})
		return
	}
	a.printf("snapshot %s  %s  %s  new %s  stored %s  took %s\n", r.ID()[:8], plural(int(s.Files), "file"), formatSize(s.Bytes), formatSize(s.Added), formatSize(s.Stored), formatSpan(took))
	a.printf("durable: every segment has at least %d of %d shards on %d operators; any %d rebuild it; %d of %d members have the certificate\n", d.MinShards, d.N, d.Operators, d.K, r.Final.Acks, r.Final.Members)
}
