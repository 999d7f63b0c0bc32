package p2p

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"holdfast/internal/ident"
)

// greet returns what a node says of itself: from the directory if it said so on a
// connection that is still open and not longer than fresh ago (0: however long),
// else by a hello, over a new connection if need be. Callers that ask at the same
// time share one hello; each waits as long as its own context lets it.
func (h *Host) greet(ctx context.Context, p peer.ID, fresh time.Duration) (Node, error) {
	key, err := keyOf(p)
	if err != nil {
		return Node{}, err
	}
	if e, ok := h.greeted(p, key); ok && (fresh == 0 || h.Now().Sub(e.Seen) < fresh) {
		return e.Node, nil
	}
	done := h.hellos.DoChan(string(p), func() (any, error) {
		if !h.work.begin() {
			return Node{}, ErrClosed
		}
		defer h.work.end()
		ctx, cancel := context.WithTimeout(h.alive, h.timing.reach)
		defer cancel()
		return h.reach(ctx, p, key)
	})
	select {
	case r := <-done:
		return r.Val.(Node), r.Err
	case <-ctx.Done():
		return Node{}, fmt.Errorf("greet %s: %w (%w)", key.Short(), ErrUnreachable, ctx.Err())
	}
}

// reach connects, says hello and admits.
func (h *Host) reach(ctx context.Context, p peer.ID, key ident.PublicKey) (Node, error) {
	n, conn, err := Node{}, "", h.dial(ctx, p)
	if err == nil {
		n, conn, err = h.sayHello(ctx, p, key)
	}
	if err != nil {
		h.nodes.fail(key, h.Now())
		h.unprotect(p)
		return Node{}, fmt.Errorf("greet %s: %w", key.Short(), err)
	}
	if err := h.adopt(n.Certificate.Network); err != nil {
		return Node{}, fmt.Errorf("greet %s: %w", key.Short(), err)
	}
	return h.admit(p, n, conn), nil
}

// greeted returns what is known of a node if hellos were exchanged on a connection
// that is still open, and its certificate still holds.
func (h *Host) greeted(p peer.ID, key ident.PublicKey) (entry, bool) {
	e, ok := h.nodes.get(key)
	if !ok || e.conn == "" || !h.welcome(e.Certificate) {
		return entry{}, false
	}
	for _, c := range h.host.Network().ConnsToPeer(p) {
		if c.ID() == e.conn && !c.IsClosed() {
			return e, true
		}
	}
	return entry{}, false
}

// admitted reports whether a peer is a node that has said hello.
func (h *Host) admitted(p peer.ID) bool {
	key, err := keyOf(p)
	if err != nil {
		return false
	}
	_, ok := h.greeted(p, key)
	return ok
}

// admit lets in a node whose certificate has been verified on a connection: into
// the directory, the routing table, and among the connections that are kept.
func (h *Host) admit(p peer.ID, n Node, conn string) Node {
	key := n.Certificate.Node
	before, _ := h.nodes.get(key)
	known, first := h.nodes.put(n, conn, h.Now())
	if h.News != nil && (before.State != known.State || !before.Until.Equal(known.Until)) {
		h.News()
	}
	h.host.Peerstore().AddAddrs(p, parseAddrs(p, known.Addrs), peerstore.RecentlyConnectedAddrTTL)
	h.protect(p)
	h.enlist(p)
	if first { // it may have started anew, and know nothing of us
		h.Log.Debug("node admitted", "node", key.Short(), "operator", known.Certificate.Name)
		h.publisher.trigger()
	}
	return known
}

// failedRecently reports whether a node did not answer when last asked, a moment ago.
func (h *Host) failedRecently(e entry) bool {
	return !e.failed.IsZero() && h.Now().Sub(e.failed) < h.timing.recent
}

// nodeTag marks storage nodes for the connection manager.
const nodeTag = "holdfast node"

// protect keeps the connections to a storage node, up to a number of nodes.
func (h *Host) protect(p peer.ID) {
	h.host.ConnManager().TagPeer(p, nodeTag, 100)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.protected) < protectedPeers || h.protected[p] {
		h.protected[p] = true
		h.host.ConnManager().Protect(p, nodeTag)
	}
}

func (h *Host) unprotect(p peer.ID) {
	h.host.ConnManager().UntagPeer(p, nodeTag)
	h.host.ConnManager().Unprotect(p, nodeTag)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.protected, p)
}

// connect makes sure that there is a connection to a node, asking the DHT for its
// addresses if those at hand lead nowhere; not again, if that was tried just now.
func (h *Host) connect(ctx context.Context, p peer.ID) error {
	key, err := keyOf(p)
	if err != nil {
		return err
	}
	err = h.dial(ctx, p)
	if err == nil || ctx.Err() != nil {
		return err
	}
	h.nodes.fail(key, h.Now())
	if !h.nodes.seek(key, h.Now(), h.timing.recent) {
		return err
	}
	if _, lookup := h.record(ctx, key); lookup != nil {
		return err
	}
	return h.dial(ctx, p)
}

// dial connects to a peer at the addresses that are known. Earlier failures do not
// hold it back: whoever calls it counts them himself.
func (h *Host) dial(ctx context.Context, p peer.ID) error {
	net := h.host.Network()
	if net.Connectedness(p) == network.Connected {
		return nil
	}
	info := peer.AddrInfo{ID: p}
	if key, err := keyOf(p); err == nil {
		if e, ok := h.nodes.get(key); ok {
			info.Addrs = parseAddrs(p, e.addrs())
		}
	}
	if s, ok := net.(*swarm.Swarm); ok {
		s.Backoff().Clear(p)
	}
	bounded, cancel := context.WithTimeout(ctx, h.timing.reach)
	defer cancel()
	if err := h.host.Connect(bounded, info); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", ErrUnreachable, ctx.Err())
		}
		return fmt.Errorf("%w (%v)", ErrUnreachable, err)
	}
	return nil
}
