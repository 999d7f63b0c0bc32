package pipenet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
)

// ErrUnreachable is what Open says about a host that is not there, is unplugged or
// does not speak the protocol.
var ErrUnreachable = errors.New("peer is unreachable")

// Network is a set of hosts.
type Network struct {
	mu    sync.Mutex
	hosts map[ident.PublicKey]*Host
}

// New makes a network without hosts.
func New() *Network { return &Network{hosts: make(map[ident.PublicKey]*Host)} }

// Host is one peer. It is an rpc.Network.
type Host struct {
	net    *Network
	key    ident.PublicKey
	served sync.WaitGroup

	mu        sync.Mutex
	handlers  map[string]func(context.Context, rpc.Stream)
	streams   map[rpc.Stream]context.CancelFunc // served here
	unplugged bool
	closed    bool
}

// Host adds a host; its key is new to the network.
func (n *Network) Host(key ident.PublicKey) *Host {
	h := &Host{net: n, key: key,
		handlers: make(map[string]func(context.Context, rpc.Stream)),
		streams:  make(map[rpc.Stream]context.CancelFunc)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[key] = h
	return h
}

// Handle implements rpc.Registrar.
func (h *Host) Handle(protocol string, f func(ctx context.Context, s rpc.Stream)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handlers[protocol] = f
}

// Open implements rpc.Opener.
func (h *Host) Open(ctx context.Context, node ident.PublicKey, protocol string) (rpc.Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	h.net.mu.Lock()
	to := h.net.hosts[node]
	h.net.mu.Unlock()
	if to == nil {
		return nil, fmt.Errorf("open stream to %s: %w", node, ErrUnreachable)
	}
	mine, theirs := Pipe(h.key, node)
	if !to.accept(protocol, theirs) {
		return nil, fmt.Errorf("open stream to %s: %w", node, ErrUnreachable)
	}
	return mine, nil
}

func (h *Host) accept(protocol string, s rpc.Stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.handlers[protocol]
	if f == nil || h.unplugged || h.closed {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.streams[s] = cancel
	h.served.Go(func() {
		defer cancel()
		f(ctx, s)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.streams, s)
	})
	return true
}

// Unplug makes the host unreachable, resets the streams that it serves and ends
// the contexts of their handlers.
func (h *Host) Unplug() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unplugged = true
	for s, cancel := range h.streams {
		cancel()
		s.Reset()
	}
}

// Plug undoes Unplug.
func (h *Host) Plug() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unplugged = false
}

// Close is Unplug for ever, and waits for the handlers.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.Unplug()
	h.served.Wait()
}

// Key returns the host's key.
func (h *Host) Key() ident.PublicKey { return h.key }
