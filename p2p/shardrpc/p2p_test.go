package shardrpc_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
)

const networkName = "test-shards"

// hosts are a node and a device on the loopback interface.
func hosts(t testing.TB) (node, device *p2p.Host) {
	t.Helper()
	now := time.Now()
	key := shardrpctest.Key("node", 0)
	cert, err := ledger.SignNodeCertificate(shardrpctest.Key("operator", 0), ledger.NodeCertificate{
		Network: networkName, Name: "operator", Node: key.Public(), Vote: shardrpctest.Key("vote", 0).Public(), Zone: "zone",
		Serial: 1, Issued: now.Add(-time.Hour).UnixMilli(), Expires: now.Add(time.Hour).UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	node = host(t, p2p.Config{Key: key, Network: networkName, Certificate: cert, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	device = host(t, p2p.Config{Key: shardrpctest.Key("device", 0), Network: networkName})
	if err := device.Learn(node.ID(), node.Addrs()); err != nil {
		t.Fatal(err)
	}
	return node, device
}

func host(t testing.TB, c p2p.Config) *p2p.Host {
	t.Helper()
	h, err := p2p.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// overP2P serves a backend to a device.
func overP2P(t testing.TB, b shardrpc.Backend, vault ident.CID) shardrpc.Holder {
	t.Helper()
	node, device := hosts(t)
	shardrpc.Serve(rpc.Over(node), b, shardrpc.Limits{})
	c := shardrpc.NewClient(rpc.Over(device), shardrpc.Limits{})
	t.Cleanup(c.Close)
	return c.Holder(node.ID(), vault, shardrpc.Credential{})
}

// TestOverP2P: the suite holds over the real channel.
func TestOverP2P(t *testing.T) {
	shardrpctest.TestHolder(t, func(t *testing.T) shardrpctest.Subject {
		vault := ident.SumDagCBOR([]byte("vault"))
		b := memory()
		b.Shelf = shelf()
		return shardrpctest.Subject{Holder: overP2P(t, b, vault), Vault: vault,
			Device: shardrpctest.Key("device", 0).Public(), Node: b.Node, Vote: b.Vote.Public()}
	})
}

// TestEarlyRefusalOverP2P: the refusal arrives although the sender is still writing,
// also where a reset would overtake it.
func TestEarlyRefusalOverP2P(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 24<<20, 1)
	h := overP2P(t, refusing{err: shardrpc.ErrFull}, s.Name())
	for range 10 {
		if err := h.Put(t.Context(), shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0]); !errors.Is(err, shardrpc.ErrFull) {
			t.Fatal(err)
		}
	}
}

// hanging is a backend that reads nothing of a row, and says nothing.
type hanging struct {
	refusing
	begun chan struct{}
}

func (h hanging) Open(context.Context, ident.PublicKey, ident.CID, shardrpc.Credential) (shardrpc.Session, error) {
	return h, nil
}

func (h hanging) Put(ctx context.Context, _ shardrpc.Nonce, _ int, _ []byte, _ io.Reader) error {
	h.begun <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestCancelOverP2P(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 24<<20, 1)
	begun := make(chan struct{}, 1)
	h := overP2P(t, hanging{begun: begun}, s.Name())
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if err := h.Put(ctx, shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0]); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestNodeGoesAway: a node that is closed during a transfer is a broken stream, and
// then out of reach.
func TestNodeGoesAway(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 24<<20, 1)
	node, device := hosts(t)
	begun := make(chan struct{}, 1)
	shardrpc.Serve(rpc.Over(node), hanging{begun: begun}, shardrpc.Limits{})
	c := shardrpc.NewClient(rpc.Over(device), shardrpc.Limits{})
	defer c.Close()
	h := c.Holder(node.ID(), s.Name(), shardrpc.Credential{})
	closed := make(chan error, 1)
	go func() { <-begun; closed <- node.Close() }()
	if err := h.Put(t.Context(), shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0]); !errors.Is(err, rpc.ErrBroken) {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := h.Info(t.Context()); !errors.Is(err, p2p.ErrUnreachable) {
		t.Error(err)
	}
}
