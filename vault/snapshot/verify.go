package snapshot

import (
	"context"
	"fmt"
	"io"
	"os"

	"holdfast/seal"
)

// verifySync is the size from which a file is written back before it is read
// again; for small ones that would take longer than the restore.
const verifySync = 1 << 20

// verify reads a file again and checks every chunk of it. The error is ErrVerify
// if it is another content, or the error of reading it.
func (r *restoring) verify(ctx context.Context, f *os.File, n *Node, buf *[]byte) error {
	info, err := f.Stat()
	if err != nil {
		return onTarget(err)
	}
	if !info.Mode().IsRegular() || info.Size() != n.Size {
		return fmt.Errorf("%w: its length", ErrVerify)
	}
	if len(*buf) < maxChunk {
		*buf = make([]byte, maxChunk)
	}
	if n.Size >= verifySync {
		f.Sync()
	}
	dropCache(f)
	data := dataReader(f, n)
	err = Rows(ctx, r.src, n, func(rows []byte) error {
		for i := range len(rows) / RowSize {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			row := RowAt(rows, i)
			plain := (*buf)[:row.Length]
			if _, err := io.ReadFull(data, plain); err != nil {
				return fmt.Errorf("read again: %w", cause(err))
			}
			if err := r.options.Check(seal.KindData, row.ID, plain); err != nil {
				return fmt.Errorf("%w: chunk %s", ErrVerify, row.ID)
			}
		}
		return nil
	})
	return err
}

// verifyFound does that with a file that was there before.
func (r *restoring) verifyFound(ctx context.Context, j *restoreJob, buf *[]byte) error {
	f, err := j.dir.folder.open(j.name())
	if err != nil {
		return onTarget(err)
	}
	defer f.Close()
	return r.verify(ctx, f, &j.node, buf)
}

// dataReader reads the data of a file as its node describes it, holes left out.
func dataReader(f *os.File, n *Node) io.Reader {
	pairs := n.pieces()
	readers := make([]io.Reader, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		readers = append(readers, io.NewSectionReader(f, pairs[i], pairs[i+1]))
	}
	return io.MultiReader(readers...)
}
