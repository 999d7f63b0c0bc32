package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"holdfast/seal"
)

// Stream stores what r gives as the one file of that name, which may be a path:
// `dump.sql` is stored as /dump.sql. An error of r is returned, and nothing is to
// be kept then.
func (a *Archiver) Stream(ctx context.Context, name string, r io.Reader) (seal.ChunkID, Stats, error) {
	elements := split(path.Clean("/" + name))
	if len(elements) == 0 || strings.ContainsRune(name, 0) {
		return seal.ChunkID{}, Stats{}, fmt.Errorf("store stream: %w: no name in %q", ErrTree, name)
	}
	run := newArchiving(a.Sink, a.Options)
	ctx, run.cancel = context.WithCancelCause(ctx)
	defer run.cancel(nil)
	c, err := a.Sink.File(ctx, &countingReader{r: r, count: run.count})
	if err != nil {
		return seal.ChunkID{}, Stats{}, fmt.Errorf("store stream: %w", err)
	}
	if sum, err := sumRows(c.Rows); err != nil || sum != c.Size {
		return seal.ChunkID{}, Stats{}, fmt.Errorf("store stream: %w: %d bytes read, %d stored", ErrContent, c.Size, sum)
	}
	n := run.plain(elements[len(elements)-1], File, 0o644)
	n.Size = c.Size
	if err := n.setContent(ctx, a.Sink, bytes.Clone(c.Rows)); err != nil {
		return seal.ChunkID{}, Stats{}, fmt.Errorf("store stream: %w", err)
	}
	run.added.Add(c.New)
	root, err := run.wrap(ctx, elements[:len(elements)-1], n)
	if err != nil {
		return seal.ChunkID{}, Stats{}, fmt.Errorf("store stream: %w", err)
	}
	return root, run.stats(), nil
}

// wrap puts one file into its directories and returns the root's tree object.
func (r *archiving) wrap(ctx context.Context, parents []string, file Node) (seal.ChunkID, error) {
	d := r.root
	all := []*pendingDir{d}
	for _, name := range parents {
		d = newPendingDir(r, d, r.plain(name, Dir, 0o755))
		all = append(all, d)
	}
	d.fill(ctx, d.reserve(ctx), file)
	for i := len(all) - 1; i >= 0; i-- {
		all[i].leave(ctx)
	}
	if ctx.Err() != nil {
		return seal.ChunkID{}, context.Cause(ctx)
	}
	if r.found.Load() == 0 || r.files.Load() == 0 {
		return seal.ChunkID{}, fmt.Errorf("%w: bad name", ErrTree)
	}
	return all[0].id, nil
}

// plain describes something that is in no file system.
func (r *archiving) plain(name string, t Type, mode int64) Node {
	n := Node{Name: []byte(name), Type: t, Mode: mode, MTime: TimeOf(r.options.Now())}
	n.UID, n.GID = max(0, int64(os.Getuid())), max(0, int64(os.Getgid()))
	r.owners.fill(&n)
	return n
}

// countingReader counts what goes through it.
type countingReader struct {
	r     io.Reader
	count *Counters
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.count.Bytes.Add(int64(n))
	return n, err
}
