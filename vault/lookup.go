package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
)

// Lookup names a vault and where to ask for it. Whoever knows a vault's ID can read
// its charters: nothing in them is secret.
type Lookup struct {
	Vault     ident.CID
	Network   string // learned from the bootstrap node if empty
	Bootstrap []string
	Options   Options
}

// Charters fetches a vault's charters from whoever keeps them: the first and those
// that came into force after it, the newest last. The vault's ID is the first one's
// CID, so nobody can show another vault's.
func (l Lookup) Charters(ctx context.Context) (_ []ledger.Charter, err error) {
	f, nodes, err := l.join(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return f.charters(ctx, l.Vault, nodes)
}

// join enters the network with a key that is used once.
func (l Lookup) join(ctx context.Context) (finder, []p2p.Node, error) {
	key, err := ident.GenerateKey(rand.Reader)
	if err != nil {
		return finder{}, nil, err
	}
	host, err := joinNetwork(ctx, key, l.Network, l.Bootstrap, l.Options.fill())
	if err != nil {
		return finder{}, nil, fmt.Errorf("join network: %w", err)
	}
	f := finder{host: host, client: ledgerrpc.NewClient(rpc.Over[p2p.Stream](host), ledgerrpc.Limits{})}
	nodes, err := host.Nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return finder{}, nil, errors.Join(fmt.Errorf("%w: %w", ErrNetwork, err), f.close())
	}
	return f, nodes, nil
}

func (f finder) close() error {
	f.client.Close()
	return f.host.Close()
}

// charters asks nodes for the charters that have been in force. The first is known by
// its name; each other counts as far as votes and acks of a quorum of the one before
// prove it, so that whoever has the owner's key alone shows no charter of his own.
func (f finder) charters(ctx context.Context, vault ident.CID, nodes []p2p.Node) ([]ledger.Charter, error) {
	found := f.ask(ctx, nodes, func(ctx context.Context, m *ledgerrpc.Member) ([]ident.Signed, error) {
		return m.Charters(ctx, vault)
	})
	first, err := f.first(ctx, vault, found)
	if err != nil {
		return nil, err
	}
	chain, err := ledger.NewChain(first)
	if err != nil {
		return nil, err
	}
	for _, longer := range askNodes(ctx, nodes, func(ctx context.Context, node ident.PublicKey) (ledger.Chain, error) {
		proved, _ := chainAfter(ctx, f.client.Member(node, ident.Signed{}), chain) // a node that breaks off has proved what came before
		return proved, nil
	}) {
		chain = longest(chain, longer.Value)
	}
	return chain.Since(vault), nil
}

// askNodes asks all nodes at once.
func askNodes[T any](ctx context.Context, nodes []p2p.Node, question func(ctx context.Context, node ident.PublicKey) (T, error)) []answer[T] {
	var asked []ledger.Member
	for _, n := range nodes {
		asked = append(asked, ledger.Member{Node: n.Certificate.Node, Name: n.Certificate.Name})
	}
	wait := quorumWait{Enough: len(asked), Limit: askLimit}
	return gather(ctx, asked, wait, func(ctx context.Context, m ledger.Member) (T, error) { return question(ctx, m.Node) })
}
