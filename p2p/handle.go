package p2p

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
)

// Handle serves a protocol such as "shard/1" (/holdfast/<network>/shard/1 on the
// wire) with f, in a goroutine for each stream. Above a limit for each peer, and
// one for all, streams are turned away at once; their openers get ErrBusy. A second
// call for the same protocol replaces the handler.
//
// The context that f gets ends with the host. The stream comes with a deadline of a
// minute in both directions, which f renews as it makes progress; it is closed when
// f returns, or reset if the host is going away.
func (h *Host) Handle(protocol string, f func(ctx context.Context, s Stream)) {
	serve := h.limited(newGate(streamsInAll, streamsPerPeer), h.timing.handler, f)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handlers[protocol] = serve
	if h.network != "" {
		h.host.SetStreamHandler(protocolID(h.network, protocol), serve)
	}
}

// limited wraps f: limit, deadline, and only then the first read. The place is free again
// before the end of the stream is sent, so that whoever has seen that may ask again.
func (h *Host) limited(g *gate, deadline time.Duration, f func(context.Context, Stream)) network.StreamHandler {
	return func(s network.Stream) {
		p := s.Conn().RemotePeer()
		key, err := keyOf(p)
		if err != nil {
			s.ResetWithError(network.StreamGated)
			return
		}
		if !g.enter(p) {
			s.ResetWithError(network.StreamResourceLimitExceeded)
			return
		}
		leave := sync.OnceFunc(func() { g.leave(p) })
		defer leave()
		if !h.work.begin() {
			s.ResetWithError(network.StreamShutdown)
			return
		}
		defer h.work.end()
		if s.SetDeadline(time.Now().Add(deadline)) != nil {
			s.Reset()
			return
		}
		h.serve(&stream{s, key}, func(ctx context.Context, st Stream) {
			f(ctx, st)
			leave()
		})
	}
}

func (h *Host) serve(s *stream, f func(context.Context, Stream)) {
	ctx, cancel := context.WithCancel(h.alive)
	defer cancel()
	f(ctx, s)
	if ctx.Err() != nil {
		s.Reset() // what was cut short must not look complete
		return
	}
	s.Close()
}

// protocolID returns the name on the wire, or "" while the network is unknown.
func (h *Host) protocolID(name string) protocol.ID {
	if network := h.Network(); network != "" {
		return protocolID(network, name)
	}
	return ""
}

func protocolID(network, name string) protocol.ID {
	return protocol.ID("/holdfast/" + network + "/" + name)
}

func isUnsupported(err error) bool {
	var unsupported multistream.ErrNotSupported[protocol.ID]
	return errors.As(err, &unsupported)
}
