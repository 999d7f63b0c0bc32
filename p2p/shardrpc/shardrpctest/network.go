package shardrpctest

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc/pipenet"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/mem"
)

// Config says what a network is like. Zero fields have defaults.
type Config struct {
	Vault      ident.CID           // a made-up one
	Credential shardrpc.Credential // empty
	Device     ident.PrivateKey    // a made-up one
	Limits     shardrpc.Limits     // of the clients
	NodeLimits shardrpc.Limits     // of every node
	Capacity   int64               // of every node, 1 GiB
	Name       string              // of the network, "test-holders"
	Now        func() time.Time    // of the nodes, time.Now
}

func (c Config) withDefaults() Config {
	if !c.Vault.Defined() {
		c.Vault = ident.SumDagCBOR([]byte("vault"))
	}
	if c.Device.IsZero() {
		c.Device = Key("device", 0)
	}
	if c.Capacity == 0 {
		c.Capacity = 1 << 30
	}
	if c.Name == "" {
		c.Name = "test-holders"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Key makes the i-th key of a kind; equal arguments give equal keys.
func Key(kind string, i int) ident.PrivateKey {
	return ident.NewPrivateKey(ident.SumRaw(binary.BigEndian.AppendUint64([]byte(kind), uint64(i))).Hash())
}

// Network is n nodes, each of an operator of its own, and a device that may do
// everything.
type Network struct {
	Nodes  []*Node
	Vault  ident.CID
	Device ident.PrivateKey
	Client *shardrpc.Client

	config Config
	net    *pipenet.Network
}

// NewNetwork makes a network that lives as long as the test.
func NewNetwork(t testing.TB, n int, c Config) *Network {
	c = c.withDefaults()
	w := &Network{Vault: c.Vault, Device: c.Device, config: c, net: pipenet.New()}
	for i := range n {
		node := newNode(w.net, i, c)
		node.certify(t, i, c)
		w.Nodes = append(w.Nodes, node)
	}
	w.Client = w.NewClient(t, c.Device)
	t.Cleanup(func() {
		for _, node := range w.Nodes {
			node.host.Close()
		}
	})
	return w
}

// NewClient makes a client of another device, which lives as long as the test.
func (w *Network) NewClient(t testing.TB, device ident.PrivateKey) *shardrpc.Client {
	c := shardrpc.NewClient(w.net.Host(device.Public()), w.config.Limits)
	t.Cleanup(c.Close)
	return c
}

// Holder is a node's shelf as the network's device sees it in the network's vault.
func (w *Network) Holder(node ident.PublicKey) shardrpc.Holder {
	return w.Client.Holder(node, w.Vault, w.config.Credential)
}

// Holders are all of them, by node key.
func (w *Network) Holders() map[ident.PublicKey]shardrpc.Holder {
	all := make(map[ident.PublicKey]shardrpc.Holder, len(w.Nodes))
	for _, node := range w.Nodes {
		all[node.Key.Public()] = w.Holder(node.Key.Public())
	}
	return all
}

// Node is one node. Its faults may be changed at any time; what is under way then
// may see either.
type Node struct {
	Operator, Key, Vote ident.PrivateKey
	Certificate         ident.Signed // by the operator, for node and vote key
	Shelf               *mem.Shelf

	host               *pipenet.Host
	fault              atomic.Int32
	puts, gets, ranges atomic.Int64
	audits             atomic.Int64

	mu     sync.Mutex
	mended chan struct{} // closed by the next change of fault
	delay  time.Duration
}

func newNode(net *pipenet.Network, i int, c Config) *Node {
	node := &Node{Operator: Key("operator", i), Key: Key("node", i), Vote: Key("vote", i),
		Shelf: mem.New(c.Capacity), mended: make(chan struct{})}
	node.host = net.Host(node.Key.Public())
	honest := &Backend{Shelf: node.Shelf, Node: node.Key.Public(), Vote: node.Vote, Network: c.Name, Now: c.Now}
	shardrpc.Serve(registrar{node}, backend{honest, node}, c.NodeLimits)
	return node
}

// certify makes a certificate that is valid from a day ago for a year.
func (n *Node) certify(t testing.TB, i int, c Config) {
	t.Helper()
	issued := c.Now().Add(-24 * time.Hour)
	var err error
	n.Certificate, err = ledger.SignNodeCertificate(n.Operator, ledger.NodeCertificate{
		Network: c.Name, Name: fmt.Sprintf("operator %d", i), Node: n.Key.Public(), Vote: n.Vote.Public(),
		Zone: fmt.Sprintf("zone %d", i), Serial: 1, Issued: issued.UnixMilli(), Expires: issued.AddDate(1, 0, 0).UnixMilli(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// backend makes sessions that ask their node how to behave.
type backend struct {
	shardrpc.Backend
	node *Node
}

func (b backend) Open(ctx context.Context, peer ident.PublicKey, vault ident.CID, c shardrpc.Credential) (shardrpc.Session, error) {
	s, err := b.Backend.Open(ctx, peer, vault, c)
	if err != nil {
		return nil, err
	}
	return &faulty{s, b.node}, nil
}

// Fault is how the node misbehaves now.
func (n *Node) Fault() Fault { return Fault(n.fault.Load()) }

// Break makes the node misbehave from now on, in one way; None mends it.
func (n *Node) Break(f Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault.Store(int32(f))
	close(n.mended)
	n.mended = make(chan struct{})
	if f == Dead {
		n.host.Unplug()
	} else {
		n.host.Plug()
	}
}

// Delay makes the node wait before it answers a request.
func (n *Node) Delay(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = d
}

// Puts, Gets and Ranges count the requests that have arrived.
func (n *Node) Puts() int64   { return n.puts.Load() }
func (n *Node) Gets() int64   { return n.gets.Load() }
func (n *Node) Ranges() int64 { return n.ranges.Load() }

// Audits counts the groups that were asked for.
func (n *Node) Audits() int64 { return n.audits.Load() }

// wait is what goes before every answer.
func (n *Node) wait(ctx context.Context) error {
	n.mu.Lock()
	delay, mended := n.delay, n.mended
	n.mu.Unlock()
	if n.Fault() == Silent {
		select {
		case <-mended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Keep puts a segment's row on the node's shelf, past the protocol.
func (n *Node) Keep(t testing.TB, vault ident.CID, s Segment, index int) {
	t.Helper()
	key := store.Key{Vault: vault, Segment: s.Name(), Index: index}
	if err := n.Shelf.Put(t.Context(), key, s.Descriptor, s.row(index)); err != nil {
		t.Fatal(err)
	}
}
