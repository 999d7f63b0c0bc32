package p2p

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// guard is the host as the DHT sees it. The DHT puts into its routing table every
// peer that answers it; with a guard it asks nobody who has not shown a valid
// certificate. Its own filter would not do: it is asked only once, when a peer
// appears, before there is any certificate, and not at all for peers that a look-up
// comes across.
type guard struct {
	host.Host
	h *Host
}

// Connect also exchanges hellos.
func (g *guard) Connect(ctx context.Context, info peer.AddrInfo) error {
	g.Host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	return g.meet(ctx, info.ID)
}

// NewStream makes sure of the hello first: a peer may be connected without one.
func (g *guard) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	if err := g.meet(ctx, p); err != nil {
		return nil, err
	}
	return g.Host.NewStream(network.WithNoDial(ctx, "hellos were exchanged"), p, protocols...)
}

// meet exchanges hellos with p. A node that has just failed is not tried again: a
// look-up should not wait for it twice.
func (g *guard) meet(ctx context.Context, p peer.ID) error {
	key, err := keyOf(p)
	if err != nil {
		return err
	}
	if g.h.knownToFail(key) {
		return fmt.Errorf("%w: it has just failed", ErrUnreachable)
	}
	_, err = g.h.greet(ctx, p, 0)
	return err
}

// SetStreamHandler puts a limit before the DHT's own handler, which sets its own
// deadlines.
func (g *guard) SetStreamHandler(id protocol.ID, serve network.StreamHandler) {
	limit := newGate(streamsInAll, streamsPerPeer)
	g.Host.SetStreamHandler(id, func(s network.Stream) {
		p := s.Conn().RemotePeer()
		if !limit.enter(p) {
			s.ResetWithError(network.StreamResourceLimitExceeded)
			return
		}
		defer limit.leave(p)
		serve(s)
	})
}
