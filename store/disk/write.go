package disk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdfast/store"
)

// writeShard writes a shard file: header, the payload from r, outboard. It reads
// exactly the payload. Hash and outboard are made of the bytes while they pass. If
// they are not the ones that the header's descriptor names, the error is
// store.ErrMismatch, and what has been written to w is worth nothing.
func (d *Disk) writeShard(ctx context.Context, w io.Writer, h header, r io.Reader) error {
	buf := d.buffers.Get().(*[bufferSize]byte)
	defer d.buffers.Put(buf)
	s := &stream{ctx: ctx, w: w, r: r, buf: buf[:], left: h.payload()}
	s.have = copy(s.buf, h.encode())
	s.passed = s.have
	outboard := make([]byte, store.OutboardSize(h.payload()))
	sum, err := store.MakeOutboard(outboard, h.payload(), s.group)
	if err != nil {
		return err
	}
	if sum != h.root().Hash() {
		return fmt.Errorf("%w: payload has another CID", store.ErrMismatch)
	}
	return s.finish(outboard)
}

// stream passes a payload on in groups, and to w in large pieces. Each byte is read
// once and stays in buf from then on until it is written.
type stream struct {
	ctx    context.Context
	w      io.Writer
	r      io.Reader
	buf    []byte
	passed int   // buf[:passed] is to be written
	have   int   // buf[passed:have] is to be passed on before
	left   int64 // of the payload, in r
}

// group passes on the next n bytes, at most a group.
func (s *stream) group(n int) (*[store.GroupSize]byte, error) {
	if s.passed+store.GroupSize > len(s.buf) {
		if err := s.drain(); err != nil {
			return nil, err
		}
	}
	for s.have-s.passed < n {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	p := (*[store.GroupSize]byte)(s.buf[s.passed:])
	s.passed += n
	return p, nil
}

// fill reads what has come. It looks at the context before every read of a slow
// stream.
func (s *stream) fill() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	room := s.buf[s.have:]
	n, err := s.r.Read(room[:min(int64(len(room)), s.left)])
	s.have += n
	s.left -= int64(n)
	switch {
	case n > 0 && s.left == 0, err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: stream ends %d bytes early: %w", store.ErrMismatch, s.left, io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("read stream: %w", err)
	}
}

// drain writes the whole blocks of what was passed on, and moves the rest to the
// front: memory and file stay aligned to blocks.
func (s *stream) drain() error {
	whole := s.passed / blockSize * blockSize
	if _, err := s.w.Write(s.buf[:whole]); err != nil {
		return err
	}
	s.have = copy(s.buf, s.buf[whole:s.have])
	s.passed -= whole
	return nil
}

// finish writes what is left, and the tail behind it.
func (s *stream) finish(tail []byte) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if len(tail) > len(s.buf)-s.passed {
		if err := s.drain(); err != nil {
			return err
		}
	}
	n := copy(s.buf[s.passed:], tail)
	if _, err := s.w.Write(s.buf[:s.passed+n]); err != nil {
		return err
	}
	if n == len(tail) {
		return nil
	}
	_, err := s.w.Write(tail[n:])
	return err
}
