package p2p

import (
	"fmt"
	"time"

	libp2p "github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// yamuxWindow is what a stream may send before the first acknowledgement. The
// default of 256 KiB costs small transfers a third of their speed; more than this
// is memory that no limit counts.
const yamuxWindow = 1 << 20

// yamuxMaxWindow is what a stream may grow to when the way is long: 40 MB/s each at
// 100 ms. A peer can make this end hold it, and this end's queue holds it twice.
const yamuxMaxWindow = 4 << 20

// muxFrame is the longest frame of the muxer, its header included: whole records of
// TLS, four of them. A connection queues up to 64 frames, so longer ones, which are
// hardly cheaper, would cost memory where the network is slow.
const (
	muxFrame  = 64 << 10
	muxHeader = 12
)

// newTransport makes a libp2p host that opens no address yet.
func newTransport(s settings, t timing) (host.Host, error) {
	key, err := identity(s.Key)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	rm, err := newResourceManager()
	if err != nil {
		return nil, fmt.Errorf("set limits: %w", err)
	}
	cm, err := newConnManager()
	if err != nil {
		return nil, fmt.Errorf("set limits: %w", err)
	}
	mux := *yamux.DefaultTransport
	mux.InitialStreamWindowSize, mux.MaxStreamWindowSize = yamuxWindow, yamuxMaxWindow
	mux.MaxMessageSize = muxFrame - muxHeader
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport(), tcp.WithConnectionTimeout(t.dial)),
		libp2p.Security(libp2ptls.ID, newTLSChannel),
		libp2p.Muxer(yamux.ID, &mux),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm),
		libp2p.DialRanker(preferTCP),
		libp2p.WithDialTimeout(t.dial),
		libp2p.DisableRelay(),
		libp2p.ForceReachabilityPublic(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.Ping(false),
		libp2p.UserAgent("holdfast"),
		metrics(s),
	}
	if len(s.announce) > 0 {
		opts = append(opts, libp2p.AddrsFactory(func([]ma.Multiaddr) []ma.Multiaddr { return s.announce }))
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("start network: %w", err)
	}
	return h, nil
}

// listen opens all of the addresses; it is an error if one of them cannot be.
func listen(h host.Host, addrs []ma.Multiaddr) error {
	for _, a := range addrs {
		if err := h.Network().Listen(a); err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	return nil
}

func metrics(s settings) libp2p.Option {
	if s.Registerer == nil {
		return libp2p.DisableMetrics()
	}
	return libp2p.PrometheusRegisterer(s.Registerer)
}

// preferTCP dials TCP at once, everything else a little later. For each byte QUIC
// costs three times the CPU.
func preferTCP(addrs []ma.Multiaddr) []network.AddrDelay {
	out := make([]network.AddrDelay, 0, len(addrs))
	for _, a := range addrs {
		delay := 50 * time.Millisecond
		if _, err := a.ValueForProtocol(ma.P_TCP); err == nil {
			delay = 0
		}
		out = append(out, network.AddrDelay{Addr: a, Delay: delay})
	}
	return out
}
