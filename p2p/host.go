package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/singleflight"

	"holdfast/internal/ident"
)

// Host is one program's place in a network. Its methods may be called at the same
// time from many goroutines.
type Host struct {
	settings
	timing    timing
	host      host.Host
	alive     context.Context // the host's own life; no caller's
	die       context.CancelFunc
	work      work
	nodes     *directory
	hellos    singleflight.Group
	news      *signal // the routing table has grown
	lost      chan struct{}
	publisher publisher
	memory    *memory

	mu        sync.Mutex
	network   string
	dht       *dht.IpfsDHT // nil until the network is known
	handlers  map[string]network.StreamHandler
	protected map[peer.ID]bool
	cert      ident.Signed
	started   bool
}

// New makes a host and opens its addresses; from then on it answers others. It
// looks for nobody before Start. The context bounds New alone.
func New(ctx context.Context, cfg Config) (*Host, error) {
	return newHost(ctx, cfg, defaultTiming())
}

func newHost(ctx context.Context, cfg Config, t timing) (*Host, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := cfg.check()
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(s, t)
	if err != nil {
		return nil, err
	}
	h := &Host{
		settings: s, timing: t, host: transport, cert: s.Certificate,
		nodes: newDirectory(), news: newSignal(), lost: make(chan struct{}, 1), publisher: newPublisher(), memory: newMemory(),
		handlers: make(map[string]network.StreamHandler), protected: make(map[peer.ID]bool),
	}
	h.alive, h.die = context.WithCancel(context.Background())
	transport.Network().Notify(&network.NotifyBundle{DisconnectedF: h.onDisconnect})
	if s.isNode() {
		gate := newGate(hellosInAll, hellosPerPeer)
		transport.SetStreamHandler(helloProtocol, h.limited(gate, t.hello, h.serveHello))
		h.handlers[dialBackProtocol] = h.limited(newGate(dialBacksInAll, dialBacksPerPeer), t.hello+t.reach, h.serveDialBack)
	}
	if s.Network != "" {
		if err := h.adopt(s.Network); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	for _, b := range s.bootstrap {
		if key, err := keyOf(b.ID); err == nil && b.ID != transport.ID() {
			h.nodes.learn(key, formatAddrs(b.Addrs))
		}
	}
	if err := listen(transport, s.listen); err != nil { // last: whoever comes finds everything in place
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// ID returns the public key that others know the host by.
func (h *Host) ID() ident.PublicKey { return h.Key.Public() }

// Network returns the network's name, or "" while a client has not learned it.
func (h *Host) Network() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.network
}

// Addrs returns the addresses that others can use, each with /p2p/ and the host's
// name: what a bootstrap list holds. A host that only dials has none.
func (h *Host) Addrs() []string {
	out := h.claims()
	for i := range out {
		out[i] += "/p2p/" + h.host.ID().String()
	}
	return out
}

// claims returns the addresses that this host tells others.
func (h *Host) claims() []string { return formatAddrs(h.host.Addrs()) }

func (h *Host) space() int64 { return max(h.Space(), 0) }

func (h *Host) certificate() ident.Signed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cert
}

// Renew replaces a node's certificate by one for the same node and network, as
// before the old one expires. Nodes that are connected learn of it by and by.
func (h *Host) Renew(cert ident.Signed) error {
	if !h.isNode() {
		return ErrNotNode
	}
	if _, err := checkCertificate(cert, h.ID(), h.Network(), h.Now()); err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	h.mu.Lock()
	h.cert = cert
	h.mu.Unlock()
	h.publisher.trigger()
	return nil
}

// Learn tells the host addresses of a node, from a profile or a kit, with or
// without /p2p/. They are tried; nothing is believed about the node before it has
// shown its certificate.
func (h *Host) Learn(node ident.PublicKey, addrs []string) error {
	p, err := peerOf(node)
	if err != nil {
		return err
	}
	if p == h.host.ID() {
		return nil
	}
	parsed := parseAddrs(p, addrs)
	if len(parsed) == 0 && len(addrs) > 0 {
		return fmt.Errorf("learn node %s: %w: no address can be used", node.Short(), ErrConfig)
	}
	h.nodes.learn(node, formatAddrs(parsed))
	return nil
}

// adopt fixes the network, once, and starts its DHT and its protocols. It is an
// error that wraps ErrNetwork if the network is known to be another.
func (h *Host) adopt(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.alive.Err() != nil:
		return ErrClosed
	case h.network == name:
		return nil
	case h.network != "":
		return fmt.Errorf("%w: %q instead of %q", ErrNetwork, name, h.network)
	}
	d, err := h.newDHT(name)
	if err != nil {
		return err
	}
	h.dht, h.network = d, name
	for protocol, serve := range h.handlers {
		h.host.SetStreamHandler(protocolID(name, protocol), serve)
	}
	return nil
}

// Close leaves the network: it ends all streams, waits for handlers and background
// work, and closes all sockets. Further calls do nothing.
func (h *Host) Close() error {
	if !h.work.close() {
		return nil
	}
	h.die()
	var errs []error
	if d := h.table(); d != nil {
		errs = append(errs, d.Close())
	}
	errs = append(errs, h.host.Close())
	h.work.wait()
	return errors.Join(errs...)
}
