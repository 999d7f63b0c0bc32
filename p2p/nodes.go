package p2p

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/ident"
)

// maxVisits bounds how many nodes one survey greets.
const maxVisits = 2048

// Nodes returns the other storage nodes of the network that are up, sorted by node
// key: those that are known, those of the DHT, and whoever they lead to. Each has
// answered a hello within the last seconds. It returns when all have answered; a
// node that is down delays it by a few seconds the first time, and by half a second
// while that is fresh in memory. With none, a node gets an empty list, a client
// ErrUnreachable. If the context ends first, what was found comes with its error.
func (h *Host) Nodes(ctx context.Context) ([]Node, error) {
	seeds := h.everybody()
	if d := h.table(); d != nil {
		seeds = append(seeds, d.RoutingTable().ListPeers()...)
	}
	nodes, err := h.survey(ctx, ident.CID{}, seeds)
	if err == nil && len(nodes) == 0 && !h.isNode() {
		err = ErrUnreachable
	}
	if err != nil {
		return nodes, fmt.Errorf("find nodes: %w", err)
	}
	return nodes, nil
}

// Known returns what this host remembers of the storage nodes that it has met, or whose
// records it has read, those that are down included, in the order of their keys. It asks
// nobody.
func (h *Host) Known() (out []Node) {
	for _, key := range h.nodes.keys() {
		if e, ok := h.nodes.get(key); ok && !e.Signed.IsZero() {
			out = append(out, e.Node)
		}
	}
	return out
}

// Node returns what is known of one node: from its own word, or from its record in
// the DHT, or by asking it. ErrNotFound or ErrUnreachable if there is neither.
func (h *Host) Node(ctx context.Context, key ident.PublicKey) (Node, error) {
	p, err := peerOf(key)
	if err != nil {
		return Node{}, err
	}
	e, _ := h.nodes.get(key)
	if !e.Signed.IsZero() && h.welcome(e.Certificate) {
		return e.Node, nil
	}
	if len(e.addrs()) > 0 {
		n, err := h.greet(ctx, p, 0)
		if err == nil || errors.Is(err, ErrAdmission) {
			return n, err
		}
	}
	return h.record(ctx, key)
}
