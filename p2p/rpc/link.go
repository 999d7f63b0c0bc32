package rpc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"holdfast/internal/wire"
)

const (
	readBuffer = 32 << 10
	// oneWrite is how much is copied to go out in one write: that is cheaper than
	// another record of the channel.
	oneWrite = 32 << 10
	// growth is the first step by which memory for a part grows.
	growth = 256 << 10
)

// link is what both ends of a stream do alike.
type link struct {
	stream Stream
	limits Limits
	in     *pacedReader
	out    *pacedWriter
	r      *bufio.Reader // over in
}

func newLink(s Stream, l Limits) link {
	in := &pacedReader{stream: s, limits: l}
	return link{
		stream: s, limits: l, in: in,
		out: &pacedWriter{stream: s, limits: l},
		r:   bufio.NewReaderSize(in, readBuffer),
	}
}

// send writes pieces one after another. Short ones go out in one write, long ones
// are not copied.
func (l *link) send(pieces ...[]byte) error {
	l.out.begin()
	var short []byte
	for _, p := range pieces {
		if len(short)+len(p) <= oneWrite {
			short = append(short, p...)
			continue
		}
		if err := l.write(short); err != nil {
			return err
		}
		short = nil
		if err := l.write(p); err != nil {
			return err
		}
	}
	return l.write(short)
}

func (l *link) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := l.out.Write(p)
	return fault(err)
}

func size(raw [][]byte) int {
	n := 0
	for _, p := range raw {
		n += len(p)
	}
	return n
}

// Bounds limits the parts behind a frame.
type Bounds struct {
	Count       int
	Each, Total uint64
}

// Check refuses lengths outside the bounds, with ErrProtocol.
func (b Bounds) Check(lengths []uint64) error {
	if len(lengths) > b.Count {
		return fmt.Errorf("%w: %d parts, at most %d", ErrProtocol, len(lengths), b.Count)
	}
	var total uint64
	for _, n := range lengths {
		if n > math.MaxInt32 || n > b.Each {
			return fmt.Errorf("%w: a part of %d bytes, at most %d", ErrProtocol, n, b.Each)
		}
		if total += n; total > b.Total {
			return fmt.Errorf("%w: parts of more than %d bytes", ErrProtocol, b.Total)
		}
	}
	return nil
}

// Lengths says how long the parts are, for the frame that goes before them.
func Lengths(parts [][]byte) []uint64 {
	n := make([]uint64, len(parts))
	for i, p := range parts {
		n[i] = uint64(len(p))
	}
	return n
}

// parts reads parts whose lengths have been checked. Memory grows with what
// arrives, and reserve is asked before it does.
func (l *link) parts(lengths []uint64, reserve func(n int64) error) ([][]byte, error) {
	out := make([][]byte, 0, len(lengths))
	for _, n := range lengths {
		p, err := l.part(int(n), reserve)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (l *link) part(n int, reserve func(n int64) error) ([]byte, error) {
	var p []byte
	for len(p) < n {
		have := len(p)
		grown := min(n, max(growth, 2*have))
		if err := reserve(int64(grown - have)); err != nil {
			return nil, err
		}
		next := make([]byte, grown)
		copy(next, p)
		p = next
		if _, err := io.ReadFull(l.r, p[have:]); err != nil {
			return nil, fault(unexpected(err))
		}
	}
	return p, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frame reads one frame. io.EOF, and nothing around it, means that the stream
// ended before.
func (l *link) frame() ([]byte, error) {
	p, err := wire.ReadFrame(l.r, MaxFrame)
	if err == io.EOF {
		return nil, err
	}
	return p, fault(err)
}
