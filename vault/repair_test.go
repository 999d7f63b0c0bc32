package vault_test

import (
	"context"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/ledger"
	"holdfast/node"
	"holdfast/testnet"
	"holdfast/vault"
)

// hasty sets what a network waits for to seconds.
func hasty(_ string, c *node.Config) {
	c.AuditEvery, c.InventoryEvery = node.Duration(time.Second), node.Duration(time.Second)
	c.RepairAfter = node.Duration(2 * time.Second)
}

func newHastyNetwork(t testing.TB, nodes int) *testnet.Network { return newNetworkOf(t, nodes, hasty) }

func newNetworkOf(t testing.TB, nodes int, of func(string, *node.Config)) *testnet.Network {
	t.Helper()
	n, err := testnet.InProcess(t.Context(), testnet.Config{Dir: t.TempDir(), Nodes: nodes, Node: of})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func createCoded(t testing.TB, n *testnet.Network, code erasure.Code) *merchant {
	t.Helper()
	m := emptyMachine(t, n)
	_, _, err := m.home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap()[:1], Code: code, Retention: time.Hour, Rights: ledger.Full, Device: "machine", Options: m.options(),
		KeepKit: func(k vault.Kit) error { m.kit = k; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// health asks every node for every shard.
func (m *merchant) health(part float64) vault.Health {
	m.t.Helper()
	s := m.open()
	defer s.Close()
	if _, err := s.Sync(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	h, err := s.Check(m.t.Context(), vault.CheckOptions{ReadData: part})
	if err != nil {
		m.t.Fatal(err)
	}
	return h
}

// wantWhole waits until every shard of every segment is there.
func (m *merchant) wantWhole() {
	m.t.Helper()
	var last vault.Health
	deadline := time.Now().Add(3 * time.Minute)
	for last = m.health(0); last.Present < last.Shards+last.Unplaced; last = m.health(0) {
		if time.Now().After(deadline) {
			m.t.Fatalf("%d of %d shards are there, the worst segment has %d of %d", last.Present, last.Shards, last.Worst, last.N)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-m.t.Context().Done():
			m.t.FailNow()
		}
	}
	if h := m.health(1); h.Present != h.Shards || len(h.Bad) > 0 {
		m.t.Errorf("%d of %d shards verify: %v", h.Present, h.Shards, h.Bad)
	}
}

// One of eight is wiped, and nobody does anything: operators that held nothing of its
// segments take its rows.
func TestRepairOntoSpareOperators(t *testing.T) {
	t.Parallel()
	n := newHastyNetwork(t, 8)
	m := createCoded(t, n, erasure.Code{K: 3, N: 6})
	tree := makeTree(t, 11)
	m.backup(tree)
	if _, err := n.Break(t.Context(), testnet.Wipe, "node-3"); err != nil {
		t.Fatal(err)
	}
	m.wantWhole()
	m.restore("latest", tree)
}

// Every operator is needed, and one's volume is lost: when he has made a new one, his
// rows come back to it.
func TestRepairOntoTheHealedNode(t *testing.T) {
	t.Parallel()
	n := newHastyNetwork(t, 8)
	m := createCoded(t, n, erasure.Code{K: 4, N: 8})
	tree := makeTree(t, 12)
	m.backup(tree)
	if _, err := n.Break(t.Context(), testnet.Wipe, "node-5"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Heal(t.Context(), "node-5"); err != nil {
		t.Fatal(err)
	}
	m.wantWhole()
	s, err := node.Ask(t.Context(), n.NodeDir("node-5"))
	if err != nil || s.Shards == 0 {
		t.Errorf("the new volume holds %d shards, %v", s.Shards, err)
	}
	m.restore("latest", tree)
}

// Half of all are lost at once: everything reads, and when they are replaced everything
// is whole again.
func TestRepairAfterHalfIsLost(t *testing.T) {
	t.Parallel()
	n := newHastyNetwork(t, 8)
	m := createCoded(t, n, erasure.Code{K: 4, N: 8})
	tree := makeTree(t, 13)
	m.backup(tree)
	gone := []string{"node-1", "node-4", "node-6", "node-7"}
	for _, name := range gone {
		if _, err := n.Break(t.Context(), testnet.Wipe, name); err != nil {
			t.Fatal(err)
		}
	}
	m.restore("latest", tree)
	for _, name := range gone {
		if _, err := n.Heal(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	m.wantWhole()
	m.restore("latest", tree)
}

// Restarts within the grace cost nothing: no shard is rebuilt, and none is moved.
func TestRestartsCostNothing(t *testing.T) {
	t.Parallel()
	n := newNetworkOf(t, 6, func(name string, c *node.Config) {
		hasty(name, c)
		c.RepairAfter = node.Duration(time.Minute)
	})
	m := createCoded(t, n, erasure.Code{K: 2, N: 4})
	m.backup(makeTree(t, 14))
	for _, name := range n.Names() {
		if err := n.Restart(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	m.wantWhole()
	for _, name := range n.Names() {
		s, err := node.Ask(t.Context(), n.NodeDir(name))
		if err != nil || s.Repair.Rebuilt+s.Repair.Failed != 0 {
			t.Errorf("%s: %+v, %v", name, s.Repair, err)
		}
	}
}

// A node that drains has its shards copied to others, and then lets go of them: every
// one that left is recorded by a quorum and proved by its new holder.
func TestDrainedNodeIsEmptied(t *testing.T) {
	t.Parallel()
	n := newNetworkOf(t, 7, func(name string, c *node.Config) {
		hasty(name, c)
		c.MovedAfter = node.Duration(time.Second)
	})
	m := createCoded(t, n, erasure.Code{K: 2, N: 4})
	tree := makeTree(t, 15)
	m.backup(tree)
	name := ""
	for _, candidate := range n.Names() {
		if s, err := node.Ask(t.Context(), n.NodeDir(candidate)); err == nil && s.Shards > 0 {
			name = candidate
		}
	}
	if err := node.Drain(n.NodeDir(name), time.Now()); err != nil {
		t.Fatal(err)
	}
	until(t, "the node is empty", func() bool {
		s, err := node.Ask(t.Context(), n.NodeDir(name))
		return err == nil && s.Shards == 0
	})
	m.wantWhole()
	m.restore("latest", tree)
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not in time", what)
		}
	}
}
