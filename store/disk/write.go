package disk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdfast/store"

	"lukechampine.com/blake3/bao"
)

// writeShard writes a shard file: header, the payload from r, outboard. It reads
// exactly the payload. Hash and outboard are made of the bytes while they pass. If
// they are not the ones that the header's descriptor names, the error is
// store.ErrMismatch, and what has been written to w is worth nothing.
func (d *Disk) writeShard(ctx context.Context, w io.Writer, h header, r io.Reader) error {
	buf := d.buffers.Get().(*[bufferSize]byte)
	defer d.buffers.Put(buf)
	s := &stream{ctx: ctx, w: w, r: r, buf: buf[:], left: h.payload()}
	s.hi = copy(s.buf, h.encode())
	s.lo = s.hi
	outboard := outboardBuffer(make([]byte, store.OutboardSize(h.payload())))
	sum, err := bao.Encode(outboard, s, h.payload(), store.Group, true)
	if err != nil {
		return err
	}
	if sum != h.root().Hash() {
		return fmt.Errorf("%w: payload has another CID", store.ErrMismatch)
	}
	return s.finish(outboard)
}

// stream passes a payload on to its reader, and to w in large pieces. Each byte is
// read once and stays in buf from then on until it is written.
type stream struct {
	ctx    context.Context
	w      io.Writer
	r      io.Reader
	buf    []byte
	lo, hi int   // buf[:hi] is to be written, buf[lo:hi] to be passed on before
	left   int64 // of the payload, in r
}

// Read passes on the next bytes.
func (s *stream) Read(p []byte) (int, error) {
	if s.lo == s.hi {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.lo:s.hi])
	s.lo += n
	return n, nil
}

func (s *stream) fill() error {
	if s.left == 0 {
		return io.EOF
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if s.hi == len(s.buf) {
		if err := s.drain(); err != nil {
			return err
		}
	}
	room := s.buf[s.hi:]
	n, err := s.readFull(room[:min(int64(len(room)), s.left)])
	s.hi += n
	s.left -= int64(n)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: stream ends %d bytes early: %w", store.ErrMismatch, s.left, io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("read stream: %w", err)
	}
}

// readFull fills p, and looks at the context before every read of a slow stream.
func (s *stream) readFull(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		if err = s.ctx.Err(); err != nil {
			break
		}
		var m int
		m, err = s.r.Read(p[n:])
		n += m
	}
	if n == len(p) {
		return n, nil
	}
	return n, err
}

func (s *stream) drain() error {
	_, err := s.w.Write(s.buf[:s.hi])
	s.lo, s.hi = 0, 0
	return err
}

// finish writes what is left, and the tail behind it.
func (s *stream) finish(tail []byte) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if len(tail) > len(s.buf)-s.hi {
		if err := s.drain(); err != nil {
			return err
		}
	}
	if len(tail) <= len(s.buf) {
		s.hi += copy(s.buf[s.hi:], tail)
		return s.drain()
	}
	_, err := s.w.Write(tail)
	return err
}

// outboardBuffer takes an outboard, which bao writes out of order.
type outboardBuffer []byte

func (b outboardBuffer) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(b)) {
		return 0, io.ErrShortBuffer
	}
	return copy(b[off:], p), nil
}
