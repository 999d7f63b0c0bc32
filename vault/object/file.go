package object

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"holdfast/chunker"
	"holdfast/seal"
)

// rowSize is the length of a row of a file's content: chunk ID, plaintext length
// u32 (docs/format.md, section 5).
const rowSize = 36

// Content is a stored file's data.
type Content struct {
	Rows []byte // 36 bytes for each chunk, in the order of the data
	Size int64
	New  int64 // plaintext bytes of chunks that were not stored before
}

// File stores the data of a stream. It may be called from many goroutines; a few
// streams are cut at once, the others wait. An error of the reader leaves the
// commit as it was; what was stored of the stream stays in it, unused. The chunks
// are safe only when Finish has returned.
func (w *Writer) File(ctx context.Context, r io.Reader) (Content, error) {
	ctx, leave, err := w.enter(ctx, writing)
	if err != nil {
		return Content{}, fmt.Errorf("store file: %w", err)
	}
	defer leave()
	c, err := w.cutters.get(ctx)
	if err != nil {
		return Content{}, fmt.Errorf("store file: %w", err)
	}
	defer w.cutters.put(c)
	c.Reset(stoppable{ctx, r})
	f := newFile()
	err = w.cut(ctx, c, f)
	f.settle(nil)
	if err == nil {
		err = f.wait(ctx)
	}
	if err != nil {
		return Content{}, fmt.Errorf("store file: %w", orCause(ctx, err))
	}
	return f.content(), nil
}

// cut stores chunk after chunk. The last one of a short file is stored right here,
// from the cutter's own memory; others are copied, and stored while the cutter goes
// on.
func (w *Writer) cut(ctx context.Context, c *chunker.Chunker, f *file) error {
	for {
		p, err := c.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		w.countRead(len(p))
		row := f.add(len(p))
		if len(p) < chunker.MinSize {
			if !w.gate.enter(ctx.Done()) {
				return context.Cause(ctx)
			}
			err := w.storeRow(f, row, p)
			w.gate.leave()
			if err != nil {
				return err
			}
			continue
		}
		if err := w.storeBeside(ctx, f, row, p); err != nil {
			return err
		}
	}
}

// storeBeside stores a copy of a chunk in another goroutine.
func (w *Writer) storeBeside(ctx context.Context, f *file, row []byte, p []byte) error {
	buf, ok := w.chunks.get(ctx.Done())
	if !ok {
		return context.Cause(ctx)
	}
	if !w.gate.enter(ctx.Done()) {
		w.chunks.put(buf)
		return context.Cause(ctx)
	}
	n := copy(buf, p)
	f.pending.Add(1)
	if !w.spawn(func() {
		err := w.storeRow(f, row, buf[:n])
		w.gate.leave()
		w.chunks.put(buf)
		f.settle(err)
	}) {
		w.gate.leave()
		w.chunks.put(buf)
		f.settle(ErrAborted)
		return ErrAborted
	}
	return nil
}

func (w *Writer) storeRow(f *file, row []byte, plain []byte) error {
	id, fresh, err := w.store(seal.KindData, plain)
	if err != nil {
		return err
	}
	copy(row, id[:])
	if fresh {
		f.fresh.Add(int64(len(plain)))
	}
	return nil
}

// file gathers the rows of one stream while its chunks are stored in any order.
type file struct {
	blocks  [][]byte // rows; a block never moves
	size    int64
	fresh   atomic.Int64
	pending atomic.Int64 // chunks under way, and one for the cutter
	settled chan struct{}

	mu  sync.Mutex
	err error
}

const blockRows = 128

func newFile() *file {
	f := &file{settled: make(chan struct{})}
	f.pending.Store(1)
	return f
}

// add makes the row of the next chunk; its ID is still to be filled in.
func (f *file) add(n int) []byte {
	last := len(f.blocks) - 1
	if last < 0 || len(f.blocks[last]) == cap(f.blocks[last]) {
		rows := 1 // most files have one chunk
		if last >= 0 {
			rows = blockRows
		}
		f.blocks = append(f.blocks, make([]byte, 0, rows*rowSize))
		last++
	}
	b := f.blocks[last]
	b = b[:len(b)+rowSize]
	f.blocks[last] = b
	row := b[len(b)-rowSize:]
	binary.LittleEndian.PutUint32(row[rowSize-4:], uint32(n))
	f.size += int64(n)
	return row[:rowSize-4]
}

// settle says that a chunk, or the cutter, is through.
func (f *file) settle(err error) {
	if err != nil {
		f.mu.Lock()
		f.err = errors.Join(f.err, err)
		f.mu.Unlock()
	}
	if f.pending.Add(-1) == 0 {
		close(f.settled)
	}
}

func (f *file) wait(ctx context.Context) error {
	select {
	case <-f.settled:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *file) content() Content {
	c := Content{Size: f.size, New: f.fresh.Load()}
	if len(f.blocks) == 1 {
		c.Rows = f.blocks[0]
		return c
	}
	for _, b := range f.blocks {
		c.Rows = append(c.Rows, b...)
	}
	return c
}
