package p2p

import (
	"context"
	"fmt"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// newDHT makes the DHT of a network. Nodes serve it; clients only ask. It knows no
// bootstrap nodes of its own: Host brings it together with the others.
func (h *Host) newDHT(name string) (*dht.IpfsDHT, error) {
	mode, refresh := dht.Mode(dht.ModeClient), dht.DisableAutoRefresh()
	if h.isNode() {
		mode, refresh = dht.Mode(dht.ModeServer), dht.RoutingTableRefreshPeriod(h.timing.publish/36)
	}
	d, err := dht.New(&guard{h.host, h},
		dht.ProtocolPrefix(protocol.ID("/holdfast/"+name)),
		mode, refresh,
		dht.Datastore(newShelf(maxStored, maxStoredBytes)),
		dht.Validator(record.NamespacedValidator{
			nodeSpace:  nodeValidator{name, h.Now},
			vaultSpace: hintValidator{},
		}),
		dht.MaxRecordAge(h.timing.recordAge),
		dht.ProviderManagerOpts(records.ProvideValidity(h.timing.recordAge)),
		dht.OnRequestHook(h.onRequest),
	)
	if err != nil {
		return nil, fmt.Errorf("start DHT: %w", err)
	}
	return d, nil
}

// onRequest lets only nodes store things: it empties what others bring, and the DHT
// then refuses it. Everybody may ask.
func (h *Host) onRequest(_ context.Context, s network.Stream, m *pb.Message) {
	switch m.GetType() {
	case pb.Message_PUT_VALUE, pb.Message_ADD_PROVIDER:
		if !h.admitted(s.Conn().RemotePeer()) {
			m.Record, m.ProviderPeers = nil, nil
		}
	}
}

// enlist puts an admitted node into the routing table, unless the DHT was faster,
// and wakes those who wait for somebody to be there.
func (h *Host) enlist(p peer.ID) {
	d := h.table()
	if d == nil {
		return
	}
	if _, err := d.RoutingTable().TryAddPeer(p, true, false); err != nil {
		h.Log.Debug("routing table", "error", err) // its bucket is full
	}
	h.news.fire()
}

// table returns the DHT, or nil while the network is unknown.
func (h *Host) table() *dht.IpfsDHT {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dht
}

// ready waits until the routing table is not empty, and returns the DHT. A look-up
// with an empty table would say "not found" where "nobody asked" is meant; right
// after a start it is empty for some milliseconds. ErrUnreachable when the context,
// or the time for that, ends before.
func (h *Host) ready(ctx context.Context) (*dht.IpfsDHT, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timing.table)
	defer cancel()
	for {
		changed := h.news.next()
		if d := h.table(); d != nil && d.RoutingTable().Size() > 0 {
			return d, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: no other node of the network is known (%w)", ErrUnreachable, ctx.Err())
		case <-h.alive.Done():
			return nil, ErrClosed
		}
	}
}

// company returns the DHT if there is anybody in the routing table now. What a node
// publishes need not wait for others: the first that comes sets off publication.
func (h *Host) company() (*dht.IpfsDHT, error) {
	d := h.table()
	if d == nil || d.RoutingTable().Size() == 0 {
		return nil, fmt.Errorf("%w: no other node of the network is known", ErrUnreachable)
	}
	return d, nil
}
