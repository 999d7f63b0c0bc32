package snapshot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"holdfast/seal"
)

// Overwrite says what to do where something is in the target already.
type Overwrite int

// What to do with what is there. A directory that is to be restored where there
// is one already is merged in every case; a file or link where a directory is
// wanted, or an empty directory where something else is wanted, gives way only to
// Always.
const (
	IfChanged Overwrite = iota // leave files of equal size and mtime; replace others
	Always                     // replace
	Never                      // leave what is there
)

var overwriteNames = [...]string{IfChanged: "if-changed", Always: "always", Never: "never"}

// String returns the word of the command line.
func (o Overwrite) String() string {
	if o < 0 || int(o) >= len(overwriteNames) {
		return "unknown"
	}
	return overwriteNames[o]
}

// ParseOverwrite reads that word.
func ParseOverwrite(s string) (Overwrite, error) {
	i := slices.Index(overwriteNames[:], s)
	if i < 0 {
		return 0, fmt.Errorf("overwrite %q: not one of %s", s, strings.Join(overwriteNames[:], ", "))
	}
	return Overwrite(i), nil
}

// RestoreOptions say what to restore, where to, and how.
type RestoreOptions struct {
	// Target is the folder to restore into; it is made if it is not there.
	// Nothing is written outside of it, whatever the snapshot or the target say.
	Target string
	// Include, unless empty, restores only what it matches, and Exclude leaves
	// out what it matches. Paths begin with a slash at the target.
	Include, Exclude *Matcher
	Overwrite        Overwrite
	// DryRun writes nothing, and counts and reports what would be done.
	DryRun bool
	// Verify reads every file again before it gets its name, large ones from the
	// disk where the system allows that, and checks it with Check. A file that
	// was left because it seemed the same is checked too, and replaced if it is
	// not.
	Verify bool
	Check  func(kind seal.Kind, id seal.ChunkID, plain []byte) error
	// Sync makes the return of Restore mean that everything is on the disk.
	Sync bool
	// Workers is how many files are written at once; 0 is 4.
	Workers int
	// Counters, if set, count on from zero while the work goes on.
	Counters *Counters
	// Progress, if set, is told of every item, one call at a time.
	Progress func(Event)
}

// Failure is one path that was not restored, or not entirely.
type Failure struct {
	Path string // in the snapshot
	Err  error
}

// MaxFailures is how many failures are named; all are counted.
const MaxFailures = 1000

// Summary says what a restore did.
type Summary struct {
	Files, Dirs, Others   int64 // restored
	Bytes                 int64 // written
	Skipped, SkippedBytes int64 // files that were there already
	Failed                int64
	Failures              []Failure // by path
}

// Restorer turns a tree into files.
type Restorer struct {
	Source  Source
	Options RestoreOptions
}

// aheadJobs is how far the walk runs ahead of the workers, so that the source
// hears early which chunks will be wanted.
const aheadJobs = 128

// Restore writes what is at subpath into the target: what is in a directory, or
// one file under its own name. Files are written under temporary names (they begin
// with .holdfast-) and renamed when they are complete, metadata included: a crash
// or a full disk leaves no half file under a real name, and the same call
// continues where it stopped. Owners are restored only by root, setuid and setgid
// bits of files only together with their owners.
//
// A path that cannot be restored is listed in the summary and the rest goes on.
// The error is for what ends the work: ErrFull, the context, a snapshot whose root
// or subpath cannot be read, a target that cannot be used.
func (r *Restorer) Restore(ctx context.Context, root seal.ChunkID, subpath string) (Summary, error) {
	if r.Options.Verify && r.Options.Check == nil {
		return Summary{}, errors.New("restore: nothing to verify with")
	}
	n, err := Find(ctx, r.Source, root, subpath)
	if err != nil {
		return Summary{}, fmt.Errorf("restore: %w", err)
	}
	target, err := r.openTarget()
	if err != nil {
		return Summary{}, fmt.Errorf("restore: open target: %w", err)
	}
	run := newRestoring(r.Source, r.Options)
	ctx, run.cancel = context.WithCancelCause(ctx)
	defer run.cancel(nil)
	top := &place{run: run, folder: target, made: true}
	top.pending.Store(1)
	run.top, run.base = top, join(subpath)
	if n.Type != Dir {
		run.base = strings.TrimSuffix(run.base, "/"+string(n.Name))
	}
	err = run.all(ctx, n)
	return run.summary(), err
}

// openTarget opens the folder, or returns nil in a dry run if it is not there.
func (r *Restorer) openTarget() (*folder, error) {
	if !r.Options.DryRun {
		if err := os.MkdirAll(r.Options.Target, 0o700); err != nil {
			return nil, err
		}
	}
	f, err := openFolder(r.Options.Target)
	if r.Options.DryRun && os.IsNotExist(err) {
		return nil, nil
	}
	return f, err
}

// restoring is one call of Restore.
type restoring struct {
	src     Source
	options RestoreOptions
	count   *Counters
	report  reporter
	asRoot  bool
	top     *place
	base    string // path in the snapshot of what the target stands for
	links   restoredLinks
	copies  restoredCopies
	temp    string
	temps   atomic.Int64
	cancel  context.CancelCauseFunc
	jobs    chan restoreJob
	back    *writeBack // nil if nobody waits for the disk

	mu  sync.Mutex
	sum Summary
}

func newRestoring(src Source, o RestoreOptions) *restoring {
	var random [4]byte
	rand.Read(random[:])
	r := &restoring{
		src: src, options: o, count: o.Counters, report: reporter{f: o.Progress},
		asRoot: os.Geteuid() == 0,
		temp:   ".holdfast-" + hex.EncodeToString(random[:]) + "-",
		jobs:   make(chan restoreJob, aheadJobs),
		links:  restoredLinks{files: map[[2]int64]*restoredLink{}},
	}
	if r.count == nil {
		r.count = new(Counters)
	}
	return r
}

// all walks in one goroutine and writes in a few others.
func (r *restoring) all(ctx context.Context, n *Node) error {
	workers := r.options.Workers
	if workers <= 0 {
		workers = maxWorkers
	}
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			r.work(ctx)
			return nil
		})
	}
	synced := r.syncing()
	var err error
	if n.Type == Dir {
		err = r.walk(ctx, r.top, n.Tree, 0)
	} else {
		r.leaf(ctx, r.top, n)
	}
	close(r.jobs)
	group.Wait() // the workers return no error: failures are listed or cancel the run
	r.links.abandon()
	if failed := synced(); err == nil {
		err = failed
	}
	r.top.done()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// syncing begins to bring what is written to the disk, if that is wanted. The
// function that it returns waits until all of it is there.
func (r *restoring) syncing() (wait func() error) {
	if !r.options.Sync || r.options.DryRun || r.top.folder == nil {
		return func() error { return nil }
	}
	dir := r.top.folder.self
	r.back = newWriteBack(func() error { return syncAll(dir) })
	var group errgroup.Group
	group.Go(r.back.run)
	return func() error {
		r.back.close()
		return group.Wait()
	}
}

// onTarget prepares an error of writing into the target for the listing.
func onTarget(err error) error {
	err = cause(err)
	if isFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// fail lists a path. A full disk ends the run.
func (r *restoring) fail(path string, t Type, err error) {
	if errors.Is(err, ErrFull) {
		r.cancel(fmt.Errorf("write %q: %w", path, err))
	}
	r.count.Failed.Add(1)
	r.report.tell(Event{Path: path, Type: t, Action: Failed, Err: err})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Failed++
	if len(r.sum.Failures) < MaxFailures {
		r.sum.Failures = append(r.sum.Failures, Failure{path, err})
	}
}

// done counts what was restored.
func (r *restoring) done(path string, n *Node) {
	switch n.Type {
	case File:
		r.count.Files.Add(1)
	case Dir:
		r.count.Dirs.Add(1)
	default:
		r.count.Others.Add(1)
	}
	r.report.tell(Event{Path: path, Type: n.Type, Action: Done, Size: n.Size})
}

// same counts what was there already.
func (r *restoring) same(path string, n *Node) {
	r.count.Skipped.Add(1)
	r.count.SkippedBytes.Add(n.Size)
	r.report.tell(Event{Path: path, Type: n.Type, Action: Unchanged, Size: n.Size})
}

func (r *restoring) summary() Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sum
	s.Files, s.Dirs, s.Others = r.count.Files.Load(), r.count.Dirs.Load(), r.count.Others.Load()
	s.Bytes = r.count.Bytes.Load()
	s.Skipped, s.SkippedBytes = r.count.Skipped.Load(), r.count.SkippedBytes.Load()
	slices.SortStableFunc(s.Failures, func(a, b Failure) int { return strings.Compare(a.Path, b.Path) })
	return s
}

func (r *restoring) tempName() string {
	return fmt.Sprintf("%s%x", r.temp, r.temps.Add(1))
}
