package snapshot

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/seal"
)

// Counters are read while an Archiver or a Restorer works, for progress bars.
type Counters struct {
	Files, Dirs, Others atomic.Int64 // done
	Bytes               atomic.Int64 // of files: read, or written
	Skipped             atomic.Int64 // files that were the same already
	SkippedBytes        atomic.Int64
	Failed              atomic.Int64 // listed as unread, or not restored
}

// Action says what became of an item.
type Action int

// What can become of an item.
const (
	Started   Action = iota + 1 // a file is about to be read or written
	Done                        // stored, or restored
	Unchanged                   // the same as before: not read, or not written
	Excluded                    // left out by a rule
	Failed                      // listed; Err says why
)

// Event tells of one item. Path is its path in the snapshot.
type Event struct {
	Path   string
	Type   Type
	Action Action
	Size   int64
	Err    error
}

// ArchiveOptions say what to leave out and how to work. The zero value takes
// everything.
type ArchiveOptions struct {
	// Exclude leaves out what it matches, by paths in the snapshot. What was
	// given by name is never left out, also in a directory that is.
	Exclude *Matcher
	// ExcludeCaches leaves out what is in directories with a valid CACHEDIR.TAG,
	// except the tag.
	ExcludeCaches bool
	// ExcludeIfPresent leaves out what is in directories that hold such a file,
	// except that file. A rule is a name, or a name, a colon and the bytes that
	// the file must begin with; anything else is an ErrPattern.
	ExcludeIfPresent []string
	// Excludes are further rules.
	Excludes []func(path string, n *Node) bool
	// OneFileSystem stays on the file systems of the given paths. A mount point
	// is kept as an empty directory.
	OneFileSystem bool
	// Unchanged is given the path and fresh metadata of a file. If it returns
	// true, size, content and extents of the node that it returns are taken over
	// and the file is not read. It is called from one goroutine, in the order of
	// the walk. See Previous.
	Unchanged func(ctx context.Context, path string, n *Node) (*Node, bool)
	// Workers is how many files are read at once; 0 is 4.
	Workers int
	// Counters, if set, count on while the work goes on.
	Counters *Counters
	// Progress, if set, is told of every item, one call at a time.
	Progress func(Event)
	// Now is the clock for what has no time of its own; nil is time.Now.
	Now func() time.Time
}

// Archiver turns files into a tree. Without a Sink it only walks and counts: a
// dry run.
type Archiver struct {
	Sink    Sink
	Options ArchiveOptions

	run atomic.Pointer[archiving] // the last call of Paths
}

const (
	// maxWorkers is more than two cores need: a worker also waits for the disk, and
	// for its turn in a segment.
	maxWorkers = 4
	// waiting is how many nodes may wait for an earlier one of their directory.
	waiting = 1024
)

func workers(n int) int {
	if n > 0 {
		return n
	}
	return maxWorkers
}

// Paths stores the given paths and returns the root's tree object (zero in a dry
// run). Relative paths are taken from the working directory; symbolic links are
// stored as such, also when one was given. A source that cannot be read is listed
// and counted, and the rest goes on; if that is true of all that was given, the
// error is ErrNoSource. Any other error comes from the Sink or the context, and
// nothing is to be kept then.
func (a *Archiver) Paths(ctx context.Context, paths []string) (seal.ChunkID, Stats, []Unread, error) {
	abs, err := AbsolutePaths(paths)
	if err != nil {
		return seal.ChunkID{}, Stats{}, nil, err
	}
	run := newArchiving(a.Sink, a.Options)
	if run.tags, err = tagRules(a.Options); err != nil {
		return seal.ChunkID{}, Stats{}, nil, err
	}
	ctx, run.cancel = context.WithCancelCause(ctx)
	defer run.cancel(nil)
	a.run.Store(run)
	root, err := run.paths(ctx, newSources(abs))
	unread := run.unread.list()
	if err == nil && run.found.Load() == 0 {
		err = fmt.Errorf("back up %d paths: %w", len(abs), ErrNoSource)
	}
	return root, run.stats(), unread, err
}

// archiving is one call of Paths.
type archiving struct {
	sink    Sink
	options ArchiveOptions
	tags    []tagRule
	owners  *owners
	links   archivedLinks
	unread  unreadList
	count   *Counters
	report  reporter

	files, dirs, others, bytes, added atomic.Int64 // for Stats
	found                             atomic.Int64 // what was given, or in it, and stored

	root   *pendingDir
	cancel context.CancelCauseFunc // ends the run; the context is handed down
	jobs   chan fileJob
	window chan struct{} // nodes that wait for an earlier one
}

func newArchiving(sink Sink, o ArchiveOptions) *archiving {
	r := &archiving{
		sink:    sink,
		options: o,
		owners:  newOwners(),
		count:   o.Counters,
		report:  reporter{f: o.Progress},
		jobs:    make(chan fileJob, workers(o.Workers)),
		window:  make(chan struct{}, waiting),
	}
	if r.count == nil {
		r.count = new(Counters)
	}
	if r.options.Now == nil {
		r.options.Now = time.Now
	}
	r.links.files = map[[2]uint64]*archivedLink{}
	r.root = newPendingDir(r, nil, Node{})
	return r
}

// paths walks in one goroutine and reads files in a few others.
func (r *archiving) paths(ctx context.Context, src *sources) (seal.ChunkID, error) {
	var readers errgroup.Group
	for range workers(r.options.Workers) {
		readers.Go(func() error {
			for j := range r.jobs {
				r.read(ctx, j)
			}
			return nil
		})
	}
	r.walkSources(ctx, src, r.root)
	close(r.jobs)
	readers.Wait() // they return no error: failures go through r.fail
	if ctx.Err() != nil {
		return seal.ChunkID{}, fmt.Errorf("archive: %w", context.Cause(ctx))
	}
	return r.root.id, nil
}

// fail ends the run.
func (r *archiving) fail(err error) { r.cancel(err) }

// skip lists a source that could not be read.
func (r *archiving) skip(path string, t Type, err error) {
	err = cause(err)
	r.unread.add(path, err)
	r.count.Failed.Add(1)
	r.report.tell(Event{Path: path, Type: t, Action: Failed, Err: err})
}

// stored counts a node that is in the tree.
func (r *archiving) stored(s *slot) {
	if !s.way {
		r.found.Add(1)
	}
	switch s.node.Type {
	case File:
		r.files.Add(1)
		r.bytes.Add(s.node.Size)
	case Dir:
		r.dirs.Add(1)
	default:
		r.others.Add(1)
	}
}

func (r *archiving) stats() Stats {
	return Stats{
		Files:  r.files.Load(),
		Dirs:   r.dirs.Load(),
		Others: r.others.Load(),
		Bytes:  r.bytes.Load(),
		Added:  r.added.Load(),
		Unread: r.unread.count(),
	}
}
