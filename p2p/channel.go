package p2p

import (
	"context"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// tlsChannel is libp2p's TLS over connections that move many records with one call
// of the operating system. crypto/tls makes a call for each record of 16 KiB, and
// these calls are most of what a channel costs. On the wire nothing differs.
type tlsChannel struct{ *libp2ptls.Transport }

func newTLSChannel(id protocol.ID, key crypto.PrivKey, muxers []tptu.StreamMuxer) (*tlsChannel, error) {
	t, err := libp2ptls.New(id, key, muxers)
	if err != nil {
		return nil, err
	}
	return &tlsChannel{t}, nil
}

// SecureInbound implements sec.SecureTransport.
func (t *tlsChannel) SecureInbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	below := &batched{Conn: c}
	s, err := t.Transport.SecureInbound(ctx, below, p)
	if err != nil {
		return nil, err
	}
	return &tlsConn{s, below}, nil
}

// SecureOutbound implements sec.SecureTransport.
func (t *tlsChannel) SecureOutbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	below := &batched{Conn: c}
	s, err := t.Transport.SecureOutbound(ctx, below, p)
	if err != nil {
		return nil, err
	}
	return &tlsConn{s, below}, nil
}

// tlsConn sends all records of one Write together.
type tlsConn struct {
	sec.SecureConn
	below *batched
}

func (c *tlsConn) Write(p []byte) (int, error) {
	c.below.hold()
	n, err := c.SecureConn.Write(p)
	if sent := c.below.release(); err == nil && sent != nil {
		return 0, sent
	}
	return n, err
}

// batchSize is how much of what is written is collected, and how much is read ahead,
// at most: more than a frame of the muxer with its records' overhead.
const batchSize = 2 * muxFrame

var batches = sync.Pool{New: func() any { return new([batchSize]byte) }}

// batched is a connection that collects what is written while it is held, and reads
// ahead while bytes come faster than they are asked for. Its buffers come from a
// pool and go back when they are empty: a connection that is idle has none.
type batched struct {
	net.Conn

	writing sync.Mutex
	held    bool
	out     *[batchSize]byte
	n       int   // bytes in out
	failed  error // of a write: what was lost cannot be made up for

	in     *[batchSize]byte // one reader at a time uses these
	lo, hi int
	behind bool // the last read left bytes behind, or may have
}

// hold makes writes wait for release, as far as there is room.
func (b *batched) hold() {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.held = true
}

// release writes what was collected.
func (b *batched) release() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.held = false
	b.flush()
	return b.failed
}

func (b *batched) flush() {
	if b.out == nil {
		return
	}
	if b.failed == nil {
		_, b.failed = b.Conn.Write(b.out[:b.n])
	}
	batches.Put(b.out)
	b.out, b.n = nil, 0
}

// Write implements net.Conn.
func (b *batched) Write(p []byte) (int, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.n+len(p) > batchSize {
		b.flush()
	}
	if b.failed != nil {
		return 0, b.failed
	}
	if !b.held || len(p) > batchSize {
		n, err := b.Conn.Write(p)
		b.failed = err
		return n, err
	}
	if b.out == nil {
		b.out = batches.Get().(*[batchSize]byte)
	}
	b.n += copy(b.out[b.n:], p)
	return len(p), nil
}

// Read implements net.Conn. A read that is filled has perhaps left more behind: then
// the next one takes as much as there is.
func (b *batched) Read(p []byte) (int, error) {
	if b.in == nil {
		if !b.behind || len(p) >= batchSize {
			n, err := b.Conn.Read(p)
			b.behind = n == len(p)
			return n, err
		}
		if err := b.fill(); err != nil || b.in == nil {
			return 0, err
		}
	}
	n := copy(p, b.in[b.lo:b.hi])
	if b.lo += n; b.lo == b.hi {
		batches.Put(b.in)
		b.in = nil
	}
	return n, nil
}

// fill reads ahead. If nothing has come yet, the buffer is held until it does; a read
// that brings neither bytes nor an error leaves none.
func (b *batched) fill() error {
	in := batches.Get().(*[batchSize]byte)
	n, err := b.Conn.Read(in[:])
	b.behind = n == batchSize
	if n == 0 {
		batches.Put(in)
		return err
	}
	b.in, b.lo, b.hi = in, 0, n
	return nil // an error comes again with the next read
}
