package pipenet

import (
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
)

// stream is one end.
type stream struct {
	in, out *half
	remote  ident.PublicKey
}

// Pipe makes the two ends of a stream between two keys.
func Pipe(a, b ident.PublicKey) (atA, atB rpc.Stream) {
	x, y := newHalf(), newHalf()
	return &stream{in: x, out: y, remote: b}, &stream{in: y, out: x, remote: a}
}

func (s *stream) Read(p []byte) (int, error)         { return s.in.Read(p) }
func (s *stream) Write(p []byte) (int, error)        { return s.out.Write(p) }
func (s *stream) Remote() ident.PublicKey            { return s.remote }
func (s *stream) SetReadDeadline(t time.Time) error  { s.in.setDeadline(&s.in.read, t); return nil }
func (s *stream) SetWriteDeadline(t time.Time) error { s.out.setDeadline(&s.out.write, t); return nil }

func (s *stream) CloseWrite() error {
	s.out.finish()
	return nil
}

// Close finishes the writing direction and drops what the peer still sends.
func (s *stream) Close() error {
	s.out.finish()
	s.in.reset(ErrReset)
	return nil
}

func (s *stream) Reset() {
	s.out.reset(ErrReset)
	s.in.reset(ErrReset)
}
