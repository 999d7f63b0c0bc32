package p2p

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// publisher remembers what a node has to tell the DHT again and again.
type publisher struct{ kick chan struct{} }

func newPublisher() publisher { return publisher{make(chan struct{}, 1)} }

// trigger makes the loop publish soon: somebody new may not know us.
func (p publisher) trigger() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// publishLoop publishes at regular times, and when there is news: at once at first,
// then less and less often.
func (h *Host) publishLoop() {
	gap := h.timing.quiet
	for {
		every := time.NewTimer(h.timing.publish - time.Duration(rand.Int64N(int64(h.timing.publish)/4+1)))
		news := false
		select {
		case <-h.publisher.kick:
			news = true
		case <-every.C:
			gap = h.timing.quiet
		case <-h.alive.Done():
		}
		every.Stop()
		if news {
			if !h.sleep(gap) {
				return
			}
			gap = min(4*gap, h.timing.publish/10)
		}
		if h.alive.Err() != nil {
			return
		}
		h.publish(h.alive, news)
	}
}

// sleep waits, and reports whether the host is still alive.
func (h *Host) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-h.alive.Done():
		return false
	}
}

// publish tells the closest nodes what they should keep of this one. After news in
// a large network that is the node itself: others have the rest already, and look-ups
// find them.
func (h *Host) publish(ctx context.Context, news bool) {
	d, err := h.company()
	if err != nil {
		return // the first that joins triggers again
	}
	small := d.RoutingTable().Size() <= d.BucketSize()
	if small || !news {
		h.refresh(ctx, d)
	}
	h.report("publish node record", h.putRecord(ctx, d))
	h.report("announce node", h.announce(ctx, d, rendezvous(h.Network())))
	if news && !small {
		return
	}
	provided, hints := h.memory.all()
	for _, key := range provided {
		h.report("announce vault", h.announce(ctx, d, key))
	}
	for _, hint := range hints {
		_, err := h.putHint(ctx, d, hint.key, hint.value)
		h.report("publish vault hint", err)
	}
}

// refresh looks for neighbours that are not in the routing table yet.
func (h *Host) refresh(ctx context.Context, d *dht.IpfsDHT) {
	ctx, cancel := context.WithTimeout(ctx, h.timing.lookup)
	defer cancel()
	select {
	case <-d.RefreshRoutingTable():
	case <-ctx.Done():
	}
}

func (h *Host) report(what string, err error) {
	if err != nil && h.alive.Err() == nil {
		h.Log.Debug(what, "error", err)
	}
}

// putRecord signs and publishes the node's record.
func (h *Host) putRecord(ctx context.Context, d *dht.IpfsDHT) error {
	state, until := h.state()
	signed, err := ledger.SignNodeRecord(h.Key, ledger.NodeRecord{
		Cert: h.certificate(), Addrs: h.claims(), Space: spaceClass(h.space()), Seq: h.memory.nextSeq(h.Now()),
		State: string(state), Until: until,
	})
	if err != nil {
		return fmt.Errorf("sign node record: %w", err)
	}
	value, err := wire.Encode(signed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.timing.lookup)
	defer cancel()
	return d.PutValue(ctx, nodeKey(h.ID()), value)
}

// announce tells the closest nodes that this one provides key.
func (h *Host) announce(ctx context.Context, d *dht.IpfsDHT, key ident.CID) error {
	c, err := foreign(key)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.timing.lookup)
	defer cancel()
	return d.Provide(ctx, c, true)
}
