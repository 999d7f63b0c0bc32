package node

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/node/repair"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/shardrpc"
)

// site is one vault as its steward works on it.
type site struct {
	*steward
	chain ledger.Chain
	cred  shardrpc.Credential
	own   *session                         // of this node on its own shelf
	nodes map[ident.PublicKey]ident.Signed // certificates of those that are there
	alive int                              // members that keep the ledger, this one included
}

var _ repair.Vault = (*site)(nil)

func (w *steward) site(ctx context.Context, chain ledger.Chain, nodes []p2p.Node, alive int) (*site, error) {
	v := &site{steward: w, chain: chain, cred: credentialOf(chain), alive: alive, nodes: map[ident.PublicKey]ident.Signed{}}
	for _, n := range nodes {
		v.nodes[n.Certificate.Node] = n.Signed
	}
	own, err := w.shelf.Open(ctx, w.keys.cert.Node, chain.ID(), v.cred)
	if err != nil {
		return nil, err
	}
	v.own = own.(*session)
	v.own.local = true
	return v, nil
}

// credentialOf is what a node shows to a holder that may not know the newest charters.
func credentialOf(chain ledger.Chain) shardrpc.Credential {
	all := chain.Charters()
	return shardrpc.Credential{Charter: all[0], Successors: all[1:min(len(all), maxShown)]}
}

// Charter implements repair.Vault.
func (v *site) Charter() ledger.Charter { return v.chain.Current() }

// Descriptor implements repair.Vault.
func (v *site) Descriptor(ctx context.Context, segment ident.CID) (descriptor []byte, err error) {
	err = v.volume.use(ctx, func(p *parts) error {
		in, err := p.member.Introduced(v.chain.ID(), segment)
		descriptor = in.Descriptor
		if err == nil && in.State != ledger.SegmentCertified {
			err = fmt.Errorf("segment %v is in no certified entry any more", segment)
		}
		return err
	})
	return descriptor, err
}

// Holder implements repair.Vault. Whoever asks for this node's own shelf gets a session
// of his own.
func (v *site) Holder(node ident.PublicKey) shardrpc.Holder {
	if node == v.keys.cert.Node {
		own := *v.own
		return shardrpc.Local(&own)
	}
	return limited{v.holders.Holder(node, v.chain.ID(), v.cred), v.shelf.throttle, classRepair, v.went(node)}
}

// went tells the board how transfers with a node go.
func (v *site) went(node ident.PublicKey) func(ctx context.Context, good bool) {
	return func(ctx context.Context, good bool) {
		_ = v.volume.use(ctx, func(p *parts) error { // a volume that is away has no board
			p.board.Transfer(node, good)
			return nil
		})
	}
}

// Certificate implements repair.Vault.
func (v *site) Certificate(_ context.Context, node ident.PublicKey) (ident.Signed, error) {
	signed, known := v.nodes[node]
	if !known {
		return signed, fmt.Errorf("node %v is not there", node)
	}
	return signed, nil
}

// AddPlacement implements repair.Vault. This node's own ledger comes first: from then on
// the others learn of it by themselves, whatever becomes of this steward.
func (v *site) AddPlacement(ctx context.Context, p ledger.Placement) (have, could int, err error) {
	pl := ledgerrpc.Placement{Receipt: p.Receipt, Certificate: p.Cert}
	err = v.ledgers.AddPlacement(ctx, v.chain.ID(), pl)
	if err == nil {
		// The crew has had every row of it proved.
		err = v.volume.use(ctx, func(p *parts) error { return p.proved(v.chain.ID(), pl) })
	}
	if err != nil {
		return 0, v.alive, err
	}
	var others []ledger.Member
	for _, m := range v.Charter().Members {
		if _, there := v.nodes[m.Node]; there && m.Node != v.keys.cert.Node {
			others = append(others, m)
		}
	}
	answers := askAll(ctx, others, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		err := v.client.Member(m.Node, ident.Signed{}).AddPlacement(ctx, v.chain.ID(), pl)
		if err != nil {
			v.log.Debug("a member does not take a placement", "member", m.Name, "reason", err)
		}
		return struct{}{}, err
	})
	return 1 + len(answers), v.alive, nil
}
