package rpc

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"holdfast/internal/wire"
)

var errLength = errors.New("answer is not as long as its frame says")

// Stream sends the answer's frame and then the raw bytes that f writes: n of them,
// or as many as there are if n is negative. A short beginning does not leave at
// once, so that an error of f that comes early is still sent as a refusal.
func (x *Exchange) Stream(frame any, n int64, f func(w io.Writer) error) error {
	p, err := wire.Encode(frame)
	if err != nil {
		return err
	}
	if err := x.reserve(answerBuffer); err != nil {
		return err
	}
	buf := x.gate.buffers.Get().(*bufio.Writer)
	defer func() {
		buf.Reset(io.Discard)
		x.gate.buffers.Put(buf)
	}()
	x.out.begin()
	buf.Reset(x.out)
	w := &exactWriter{buf: buf, out: x.out, left: n, endless: n < 0}
	if err := wire.WriteFrame(buf, p); err != nil {
		return err
	}
	if err := f(w); err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		x.failed = true
		return fault(err)
	}
	return nil
}

// exactWriter refuses the byte that is too much. Small pieces are collected, large
// ones are not copied.
type exactWriter struct {
	buf     *bufio.Writer
	out     io.Writer // what buf writes to
	left    int64
	endless bool
}

func (w *exactWriter) Write(p []byte) (int, error) {
	if !w.endless {
		if int64(len(p)) > w.left {
			return 0, errLength
		}
		w.left -= int64(len(p))
	}
	if len(p) < answerBuffer {
		return w.buf.Write(p)
	}
	if err := w.buf.Flush(); err != nil {
		return 0, err
	}
	return w.out.Write(p)
}

func (w *exactWriter) end() error {
	if !w.endless && w.left > 0 {
		return fmt.Errorf("%w: %d bytes are missing", errLength, w.left)
	}
	return nil
}
