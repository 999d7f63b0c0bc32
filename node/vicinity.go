package node

import (
	"context"

	"holdfast/p2p"
)

// nearby is this node among the others, as its steward sees them.
type nearby struct{ *Node }

var _ vicinity = nearby{}

// nodes implements vicinity.
func (n nearby) nodes(ctx context.Context) ([]p2p.Node, error) { return n.host.Nodes(ctx) }

// self implements vicinity.
func (n nearby) self() p2p.Node {
	state, until := n.orders.announced()
	own := p2p.Node{State: state, Until: until}
	own.Certificate, own.Signed = n.orders.showing()
	if n.orders.takes() {
		own.Space = n.space()
	}
	return own
}
