package vault

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"holdfast/seal"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// Backup says what to back up and how to call it.
type Backup struct {
	Paths []string // for files and folders

	Name   string    // for a stream: the file that it becomes
	Stream io.Reader // nil for paths

	Host    string // os.Hostname if empty
	Tags    []string
	Object  bool // `put`: Stream is an object, named by the CID of its plaintext
	Program string
	Force   bool // read all files, also those that seem unchanged since the last snapshot
	Archive snapshot.ArchiveOptions
	Count   *object.Counters // for progress bars; may be nil

	// A checkpoint is made when so much time has passed or so much was stored since
	// the last one, whichever comes first; 0 is 5 minutes, and 4 GiB.
	CheckpointEvery time.Duration
	CheckpointBytes int64
	// KeepBytes is what a last checkpoint is made for when the context ends; 0 is 64 MiB.
	KeepBytes int64

	Checkpoint func(Snapshot) // told of each checkpoint, by another goroutine; may be nil
	Continues  func(Snapshot) // told of the checkpoint of an earlier run that this one goes on from; may be nil
}

// Defaults of Backup, and how long the work may go on when the context has ended.
const (
	checkpointEvery = 5 * time.Minute
	checkpointBytes = 4 << 30
	keepBytes       = 64 << 20
	keepLimit       = 20 * time.Second
)

func (b Backup) withDefaults() Backup {
	if b.CheckpointEvery <= 0 {
		b.CheckpointEvery = checkpointEvery
	}
	if b.CheckpointBytes <= 0 {
		b.CheckpointBytes = checkpointBytes
	}
	if b.KeepBytes <= 0 {
		b.KeepBytes = keepBytes
	}
	if b.Checkpoint == nil {
		b.Checkpoint = func(Snapshot) {}
	}
	if b.Continues == nil {
		b.Continues = func(Snapshot) {}
	}
	return b
}

// Result is what an acknowledged backup is. Whoever holds one holds a promise: a
// quorum has the certificate, and the shards are on disk.
type Result struct {
	Final      Final
	Snapshot   snapshot.Snapshot
	Unread     []snapshot.Unread
	Durability Durability
	Law        []string // who holds more of its last entry than may be lost together, a line each
	Segments   int      // that this run introduced, those of its checkpoints included
}

// ID is the snapshot's name.
func (r Result) ID() string { return r.Final.Link.CID.Hex() }

// Complete reports whether all shards are placed and all members have the
// certificate.
func (r Result) Complete() bool { return r.Durability.Missing == 0 && r.Final.OnAll() }

// Begin prepares this device to add: one writer on this machine, a view of the
// ledger that is up to date, and no loose end of an interrupted run.
func (s *Session) Begin(ctx context.Context) (Standing, error) {
	if r := s.Rights(); !r.CanAppend() {
		return Standing{}, fmt.Errorf("%w: its grant says %q", ErrNoRight, r)
	}
	if s.unlock == nil {
		unlock, err := s.home.lock(s.profile.Name)
		if err != nil {
			return Standing{}, err
		}
		s.unlock = unlock
	}
	s.lookAhead()
	st, err := s.Sync(ctx)
	if err != nil {
		return st, err
	}
	if err := s.allowed(); err != nil {
		return st, err
	}
	s.learnWeights(ctx)
	return st, s.resume(ctx)
}

// Backup stores files or a stream and returns when a quorum has the certificate.
// Begin has to be called before. On the way it makes checkpoints, which are partial
// snapshots of their own. On an error nothing else is new: a draft that was kept is
// finished by the next run, and other shards are let go. When the context ends, what
// was stored is kept in a last checkpoint if it is worth it, and the error is an
// Interrupted.
func (s *Session) Backup(ctx context.Context, b Backup) (Result, error) {
	if b.Stream != nil {
		s.leavePassed(ctx)
	}
	before := 0
	for try := 1; ; try++ {
		r, err := s.backupOnce(ctx, b)
		r.Segments += before
		if err == nil || try == maxAgain {
			return r, err
		}
		again, err := s.again(ctx, b, err)
		if !again {
			return r, err
		}
		before = r.Segments
	}
}

// backupOnce is Backup until members say that it builds on what is being released.
func (s *Session) backupOnce(ctx context.Context, b Backup) (Result, error) {
	c, work, err := s.newCommit(ctx, b)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	snap, unread, err := c.read(ctx, work)
	if err != nil {
		return Result{}, c.interrupt(ctx, work, err)
	}
	r, err := c.finish(work, snap)
	r.Unread = unread
	if err != nil {
		return r, c.interrupt(ctx, work, err)
	}
	return r, nil
}

// read reads the sources, and makes checkpoints meanwhile. When it returns no
// checkpoint is under way.
func (c *commit) read(ctx, work context.Context) (snapshot.Snapshot, []snapshot.Unread, error) {
	done, err := c.comparePrevious(ctx)
	if err != nil {
		return snapshot.Snapshot{}, nil, err
	}
	defer done()
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	end := c.keepOn(work, stop)
	snap, unread, err := c.archive(reading)
	if failed := end(); failed != nil {
		err = failed
	}
	return snap, unread, err
}

// sink lets an archiver write into the commit.
type sink struct{ w *object.Writer }

func (k sink) File(ctx context.Context, r io.Reader) (snapshot.Content, error) {
	c, err := k.w.File(ctx, r)
	return snapshot.Content(c), err
}

func (k sink) Tree(ctx context.Context, p []byte) (seal.ChunkID, error) { return k.w.Tree(ctx, p) }

// describe says what all snapshots of one run have in common.
func (s *Session) describe(b Backup) (snapshot.Snapshot, error) {
	snap := snapshot.Snapshot{
		Vault: s.vault, Lane: s.lane(), Host: b.Host, Tags: b.Tags, Program: b.Program,
		Time: snapshot.TimeOf(s.options.Now()),
	}
	if snap.Host == "" {
		snap.Host, _ = os.Hostname()
	}
	if u, err := user.Current(); err == nil {
		snap.User = u.Username
	}
	if b.Stream != nil {
		snap.Paths = [][]byte{[]byte("/" + b.Name)}
		return snap, nil
	}
	paths, err := snapshot.AbsolutePaths(b.Paths)
	for _, p := range paths {
		snap.Paths = append(snap.Paths, []byte(p))
	}
	return snap, err
}

// archive reads the sources into the commit.
func (c *commit) archive(ctx context.Context) (snapshot.Snapshot, []snapshot.Unread, error) {
	snap := c.common
	if c.job.Stream != nil {
		return c.stream(ctx, snap)
	}
	var err error
	snap.Root, snap.Stats, snap.Unread, err = c.archiver.Paths(ctx, texts(snap.Paths))
	return snap, snap.Unread, err
}

func (c *commit) stream(ctx context.Context, snap snapshot.Snapshot) (snapshot.Snapshot, []snapshot.Unread, error) {
	r, sum := c.job.Stream, newPlainSum(c.job.Object)
	var err error
	snap.Root, snap.Stats, err = c.archiver.Stream(ctx, c.job.Name, io.TeeReader(r, sum))
	if c.job.Object && err == nil {
		snap.Object = sum.CID()
	}
	return snap, nil, err
}
