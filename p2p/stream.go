package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"holdfast/internal/ident"
)

// Stream is one conversation with the holder of a key. Errors wrap ErrBusy if the
// other side turned the stream away, ErrReset if it broke it off, ErrUnreachable if
// the connection is gone, and os.ErrDeadlineExceeded when a deadline has passed.
// An error may come with the first read only, although Open succeeded.
//
// Each side sets deadlines before it waits, and renews them with progress: a peer
// can withhold bytes, or room for them, for ever. Whoever opened a stream ends it
// with Close after the last answer, or with Reset.
type Stream interface {
	io.Reader
	io.Writer
	CloseWrite() error // no more will be written; the other side reads io.EOF
	Close() error      // done with it; what was written is still delivered
	Reset()            // done with it; the other side gets an error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Remote() ident.PublicKey // who is at the other end, proved by the channel
}

// stream is a Stream over libp2p.
type stream struct {
	network.Stream
	remote ident.PublicKey
}

func (s *stream) Remote() ident.PublicKey { return s.remote }
func (s *stream) Reset()                  { s.Stream.Reset() }

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	return n, s.failure("read", err)
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Stream.Write(p)
	return n, s.failure("write", err)
}

func (s *stream) CloseWrite() error { return s.failure("close", s.Stream.CloseWrite()) }

// failure says in our terms what went wrong. io.EOF stays bare.
func (s *stream) failure(verb string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return fmt.Errorf("%s stream with %s: %w", verb, s.remote.Short(), s.reason(err))
}

func (s *stream) reason(err error) error {
	var reset *network.StreamError
	var timeout net.Error
	switch {
	case errors.As(err, &reset) && reset.ErrorCode == network.StreamResourceLimitExceeded:
		return fmt.Errorf("%w (%v)", ErrBusy, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return os.ErrDeadlineExceeded
	case s.Conn().IsClosed():
		return fmt.Errorf("%w (%v)", ErrUnreachable, err)
	case errors.Is(err, network.ErrReset):
		return fmt.Errorf("%w (%v)", ErrReset, err)
	}
	return err
}

// Open opens a stream for a protocol such as "shard/1" to a node, with a new
// connection if there is none: to the addresses that are known, or else to those of
// the node's record in the DHT. It returns ErrUnreachable, ErrBusy, ErrNotFound for
// a node that does not speak the protocol, or the context's error.
func (h *Host) Open(ctx context.Context, node ident.PublicKey, protocol string) (Stream, error) {
	p, err := peerOf(node)
	if err != nil {
		return nil, err
	}
	if err := h.connect(ctx, p); err != nil {
		return nil, fmt.Errorf("open stream to %s: %w", node.Short(), err)
	}
	id := h.protocolID(protocol)
	if id == "" {
		return nil, fmt.Errorf("open stream to %s: %w: the network's name is not known yet", node.Short(), ErrUnreachable)
	}
	s, err := h.host.NewStream(ctx, p, id)
	if err != nil {
		return nil, fmt.Errorf("open stream to %s: %w", node.Short(), openFailure(ctx, err))
	}
	return &stream{s, node}, nil
}

func openFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%v)", ctx.Err(), err)
	}
	if errors.Is(err, network.ErrResourceLimitExceeded) {
		return fmt.Errorf("%w (%v)", ErrBusy, err)
	}
	if isUnsupported(err) {
		return fmt.Errorf("%w: the node does not speak this protocol (%v)", ErrNotFound, err)
	}
	return fmt.Errorf("%w (%v)", ErrUnreachable, err)
}
