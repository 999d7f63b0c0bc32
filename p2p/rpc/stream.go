package rpc

import (
	"context"
	"io"
	"time"

	"holdfast/internal/ident"
)

// Stream is a two-way stream of bytes to a peer whose key the channel has proved.
// Reset drops what was not yet read, on both sides, and wakes whoever reads or
// writes; Close lets the peer read what was written.
type Stream interface {
	io.Reader
	io.Writer
	CloseWrite() error
	Close() error
	Reset()
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	Remote() ident.PublicKey
}

// Opener opens a stream to a peer. It keeps its own deadline for dialling.
type Opener interface {
	Open(ctx context.Context, node ident.PublicKey, protocol string) (Stream, error)
}

// Registrar calls f in a goroutine of its own, for which it answers, for every
// stream that a peer opens. The context ends when the program stops serving.
type Registrar interface {
	Handle(protocol string, f func(ctx context.Context, s Stream))
}

// Network is both.
type Network interface {
	Opener
	Registrar
}

// Host is what Over makes a Network of: a host whose streams have a type of their
// own.
type Host[S Stream] interface {
	Open(ctx context.Context, node ident.PublicKey, protocol string) (S, error)
	Handle(protocol string, f func(ctx context.Context, s S))
}

// Over lets the protocols run over a host that has its own type of stream, as
// *p2p.Host has: Over[p2p.Stream](host).
func Over[S Stream](h Host[S]) Network { return over[S]{h} }

type over[S Stream] struct{ host Host[S] }

func (o over[S]) Open(ctx context.Context, node ident.PublicKey, protocol string) (Stream, error) {
	s, err := o.host.Open(ctx, node, protocol)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (o over[S]) Handle(protocol string, f func(ctx context.Context, s Stream)) {
	o.host.Handle(protocol, func(ctx context.Context, s S) { f(ctx, s) })
}
