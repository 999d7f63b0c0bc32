package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// pseudoSize is how much is read of a file that claims to be empty, as those of
// /proc do.
const pseudoSize = 16 << 20

// fileJob is a file that is to be read.
type fileJob struct {
	in   *folder
	name string // in the folder
	path string // in the snapshot
	node Node
	info fs.FileInfo
	dir  *pendingDir
	slot *slot
	link *archivedLink // of a file with several names; nil otherwise
}

// visitFile hands a file to the readers, unless its content is known already.
func (r *archiving) visitFile(ctx context.Context, v visit, n Node, id identity, info fs.FileInfo) {
	j := fileJob{in: v.in.retain(), name: v.name, path: v.path(), node: n, info: info, dir: v.parent}
	j.slot = v.parent.reserve(ctx)
	if r.sink == nil {
		r.count.Bytes.Add(n.Size)
		r.finish(ctx, j, Done)
		return
	}
	if r.unchanged(ctx, &j) {
		r.finish(ctx, j, Unchanged)
		return
	}
	if j.node.Linked() && !r.links.claim(ctx, &j, id, r) {
		return // another name of it is being read, or was
	}
	select {
	case r.jobs <- j:
	case <-ctx.Done():
		j.in.release()
	}
}

// unchanged takes the content of a file over from before.
func (r *archiving) unchanged(ctx context.Context, j *fileJob) bool {
	if r.options.Unchanged == nil {
		return false
	}
	old, ok := r.options.Unchanged(ctx, j.path, &j.node)
	if !ok {
		return false
	}
	j.node.takeContent(old)
	if old.CTime == j.node.CTime && old.CTime != (Time{}) {
		j.node.Xattrs = old.Xattrs // no attribute was set since
	} else {
		j.node.Xattrs = r.xattrs(j.path, func() ([]Xattr, error) { return j.in.xattrs(j.name) })
	}
	r.count.Skipped.Add(1)
	r.count.SkippedBytes.Add(j.node.Size)
	return true
}

func (n *Node) takeContent(old *Node) {
	n.Size, n.Content, n.List, n.Extents = old.Size, old.Content, old.List, old.Extents
}

// finish completes the node of a file whose content is known.
func (r *archiving) finish(ctx context.Context, j fileJob, a Action) {
	defer j.in.release()
	r.count.Files.Add(1)
	r.report.tell(Event{Path: j.path, Type: File, Action: a, Size: j.node.Size})
	j.dir.fill(ctx, j.slot, j.node)
}

// read is the work of a reader: one file, and other names of it that turn out to
// need reading.
func (r *archiving) read(ctx context.Context, j fileJob) {
	for again := true; again; {
		if ctx.Err() != nil {
			j.in.release()
			return
		}
		j, again = r.readOne(ctx, j)
	}
}

func (r *archiving) readOne(ctx context.Context, j fileJob) (next fileJob, again bool) {
	r.report.tell(Event{Path: j.path, Type: File, Action: Started, Size: j.node.Size})
	err := r.content(ctx, &j)
	var source *sourceError
	switch {
	case err == nil:
		next, again = r.links.done(ctx, &j, r)
		r.finish(ctx, j, Done)
	case errors.As(err, &source):
		r.skip(j.path, File, source.err)
		j.in.release()
		j.dir.drop(ctx, j.slot)
		next, again = r.links.another(&j)
	default:
		j.in.release()
		r.fail(err)
	}
	return next, again
}

// sourceError is a failure of the source: it is listed and the backup goes on.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// content reads the file into the sink and completes the node: size, content,
// extents as read.
func (r *archiving) content(ctx context.Context, j *fileJob) error {
	f, err := j.in.open(j.name)
	if err != nil {
		return &sourceError{vanished(err)}
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return &sourceError{err}
	}
	if !before.Mode().IsRegular() {
		return &sourceError{errReplaced}
	}
	if !os.SameFile(j.info, before) {
		name := string(j.node.Name)
		j.node, _, _ = r.owners.meta(name, before)
		j.node.Link = [2]int64{} // who shares it is not known
	}
	j.node.Xattrs = r.xattrs(j.path, func() ([]Xattr, error) { return fileXattrs(f) })
	in := newPieceReader(r, f, before)
	if err := r.store(ctx, j, in); err != nil {
		return err
	}
	in.describe(&j.node)
	after, err := f.Stat()
	if err != nil || in.short || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		r.skip(j.path, File, errChanged) // listed, and kept as it was read
	}
	return nil
}

// store runs the file through the sink and checks what the sink says.
func (r *archiving) store(ctx context.Context, j *fileJob, in *pieceReader) error {
	c, err := r.sink.File(ctx, in)
	switch {
	case in.err != nil:
		return &sourceError{in.err}
	case err != nil:
		return fmt.Errorf("store %q: %w", j.path, err)
	}
	sum, err := sumRows(c.Rows)
	if err == nil && (sum != in.read || c.Size != in.read) {
		err = fmt.Errorf("%w: %d bytes read, %d stored", ErrContent, in.read, sum)
	}
	if err != nil {
		return fmt.Errorf("store %q: %w", j.path, err)
	}
	r.added.Add(c.New)
	return j.node.setContent(ctx, r.sink, bytes.Clone(c.Rows))
}

// pieceReader reads the data of a file, holes left out, up to the size that it had
// when it was opened.
type pieceReader struct {
	file  *os.File
	count *Counters
	pairs []int64 // the pieces, as extents
	size  int64
	whole bool // no holes

	piece int   // the one in hand
	at    int64 // and how much of it was read
	read  int64
	short bool  // the file ended early
	err   error // of the file
}

func newPieceReader(r *archiving, f *os.File, info fs.FileInfo) *pieceReader {
	p := &pieceReader{file: f, count: r.count, size: info.Size(), whole: true}
	switch {
	case p.size <= 0:
		p.pairs = []int64{0, pseudoSize}
		return p
	case sparse(info):
		pairs, err := findExtents(f, p.size)
		if err == nil && (len(pairs) != 2 || pairs[0] != 0 || pairs[1] != p.size) {
			p.pairs, p.whole = pairs, false
			return p
		}
	}
	p.pairs = []int64{0, p.size}
	return p
}

// Read implements io.Reader.
func (p *pieceReader) Read(b []byte) (int, error) {
	for p.piece < len(p.pairs) && p.at == p.pairs[p.piece+1] {
		p.piece, p.at = p.piece+2, 0
	}
	if p.err != nil {
		return 0, p.err
	}
	if p.piece >= len(p.pairs) || p.short {
		return 0, io.EOF
	}
	off, length := p.pairs[p.piece], p.pairs[p.piece+1]
	n, err := p.file.ReadAt(b[:min(int64(len(b)), length-p.at)], off+p.at)
	p.at += int64(n)
	p.read += int64(n)
	p.count.Bytes.Add(int64(n))
	switch {
	case err == io.EOF:
		p.short = true
		if n == 0 {
			return 0, io.EOF
		}
	case err != nil:
		p.err = err
		return n, err
	}
	return n, nil
}

// describe writes size and extents into the node, as they were read.
func (p *pieceReader) describe(n *Node) {
	n.Extents = nil
	if p.size <= 0 { // how long such a file is, only reading it shows
		n.Size = p.read
		p.short = p.read == pseudoSize
		return
	}
	n.Size = p.size
	if p.short {
		p.pairs, n.Size = cut(p.pairs, p.read)
	}
	if !p.whole {
		n.Extents = p.pairs
	}
}
