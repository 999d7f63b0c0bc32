package p2p

import (
	"errors"
	"net"
	"testing"
	"time"

	"holdfast/ledger"
)

func TestClientFindsAllNodes(t *testing.T) {
	nodes := cluster(t, 8)
	meshed(t, nodes...)
	begin := time.Now()
	c := start(t, asClient(), withBootstrap(nodes[3].Addrs()...))
	if c.Network() != testNetwork {
		t.Errorf("network %q", c.Network())
	}
	joined := time.Since(begin)
	found, err := c.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("New and Start took %v, Nodes %v", joined, time.Since(begin)-joined)
	if len(names(found)) != 8 || len(found) != 8 {
		t.Fatalf("%d nodes found, %d different", len(found), len(names(found)))
	}
	for _, n := range found {
		if n.Space != 1<<30 || n.Seen.IsZero() || len(n.Addrs) != 1 || n.Skew.Abs() > time.Minute {
			t.Errorf("node %+v", n)
		}
		if cert, err := ledger.VerifyNodeCertificate(n.Signed); err != nil || cert.Node != n.Certificate.Node {
			t.Errorf("certificate: %v", err)
		}
	}
}

// One bootstrap node is left alive, and the DHT is full of the dead: some refuse
// connections, one accepts them and says nothing.
func TestClientFindsTheLiving(t *testing.T) {
	nodes := cluster(t, 7)
	meshed(t, nodes...)
	silent, refusing := nodes[4].Addrs(), nodes[5].Addrs()
	for _, h := range nodes[4:] {
		h.Close()
	}
	mute(t, silent[0])
	begin := time.Now()
	fair := withTiming(func(t *timing) { t.hello, t.reach = 2*time.Second, 3*time.Second }) // enough for the living on a busy machine
	c := start(t, asClient(), fair, withBootstrap(refusing...), withBootstrap(silent...), withBootstrap(nodes[2].Addrs()...))
	found, err := c.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := names(found)
	for i, h := range nodes {
		if want := i < 4; got[h.ID()] != want {
			t.Errorf("node %d found: %v, want %v", i, !want, want)
		}
	}
	first := time.Since(begin)
	begin = time.Now()
	if again, err := c.Nodes(t.Context()); err != nil || len(again) != 4 {
		t.Errorf("%d nodes found again, %v", len(again), err)
	}
	t.Logf("with the dead: %v, again %v", first, time.Since(begin))
}

// A node that has moved is found where it is now, by who knows only where it was.
func TestNodeMoves(t *testing.T) {
	nodes := cluster(t, 3)
	meshed(t, nodes...)
	old := nodes[2].Addrs()
	nodes[2].Close()
	moved := start(t, withKey(nodes[2].Key), withCertificate(nodes[2].Certificate), withBootstrap(nodes[0].Addrs()...))
	meshed(t, nodes[0], nodes[1], moved)
	echo(moved)
	until(t, "its new record", func() bool {
		n, err := nodes[1].record(t.Context(), moved.ID())
		return err == nil && len(n.Addrs) == 1 && n.Addrs[0]+"/" == moved.Addrs()[0][:len(n.Addrs[0])+1]
	})
	for name, find := range map[string]func(*Host) error{
		"nodes": func(c *Host) error {
			found, err := c.Nodes(t.Context())
			if !names(found)[moved.ID()] {
				t.Errorf("%d nodes found without the one that moved", len(found))
			}
			return err
		},
		"open": func(c *Host) error {
			s, err := c.Open(t.Context(), moved.ID(), "echo/1")
			if err == nil {
				s.Reset()
			}
			return err
		},
	} {
		c := build(t, asClient(), withBootstrap(nodes[0].Addrs()...))
		if err := c.Learn(moved.ID(), old); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := find(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mute listens on the address of a node and never says anything.
func mute(t testing.TB, addr string) {
	t.Helper()
	info, err := parseFull([]string{addr})
	if err != nil {
		t.Fatal(err)
	}
	port, err := info[0].Addrs[0].ValueForProtocol(6)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func TestNodesOfNobody(t *testing.T) {
	alone := start(t)
	if found, err := alone.Nodes(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("a network's first node finds %d others, %v", len(found), err)
	}
	gone := start(t)
	addr := gone.Addrs()
	gone.Close()
	c := build(t, asClient(), withBootstrap(addr...))
	if err := c.Start(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("start with a dead bootstrap node: %v", err)
	}
	if _, err := c.Nodes(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nodes: %v", err)
	}
}

func TestLearnedAddressesAreEnough(t *testing.T) {
	nodes := cluster(t, 3)
	meshed(t, nodes...)
	c := build(t, asClient())
	if err := c.Learn(nodes[1].ID(), nodes[1].Addrs()); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := c.Nodes(t.Context()); err != nil || len(found) != 3 {
		t.Errorf("%d nodes found, %v", len(found), err)
	}
}

// A node that is known by its record alone can be looked up and spoken to.
func TestNodeFromRecord(t *testing.T) {
	nodes := cluster(t, 4)
	meshed(t, nodes...)
	target := nodes[3]
	c := start(t, asClient(), withBootstrap(nodes[0].Addrs()...))
	until(t, "record", func() bool {
		n, err := c.record(t.Context(), target.ID())
		return err == nil && n.Space == 1<<30 && len(n.Addrs) == 1
	})
	n, err := c.Node(t.Context(), target.ID())
	if err != nil || n.Certificate.Node != target.ID() {
		t.Fatalf("node: %v", err)
	}
	echo(target)
	s, err := c.Open(t.Context(), target.ID(), "echo/1")
	if err != nil {
		t.Fatal(err)
	}
	s.Reset()
	if _, err := c.Node(t.Context(), newKey(t).Public()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a node that does not exist: %v", err)
	}
}

func BenchmarkClientStart(b *testing.B) {
	nodes := cluster(b, 8)
	meshed(b, nodes...)
	b.ResetTimer()
	for b.Loop() {
		cfg := Config{Key: newKey(b), Bootstrap: nodes[0].Addrs()}
		h, err := New(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		if found, err := h.Nodes(b.Context()); err != nil || len(found) != 8 {
			b.Fatal(len(found), err)
		}
		b.StopTimer()
		h.Close()
		b.StartTimer()
	}
}
