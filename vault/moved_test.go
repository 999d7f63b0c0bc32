package vault_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/ledger"
	"holdfast/node"
	"holdfast/testnet"
	"holdfast/vault"
)

// quickRepair makes nodes repair what has been away for a second.
func quickRepair(_ string, c *node.Config) {
	second := node.Duration(time.Second)
	c.RepairAfter, c.RepairTurn, c.AuditEvery, c.InventoryEvery = second, second, second, second
}

// A shard that the network has brought back is found where it is now: the status counts
// it, a backup that needs it is whole, and an empty machine reads it without asking the
// one who had it before.
func TestReadersFollowRepair(t *testing.T) {
	n, err := testnet.InProcess(t.Context(), testnet.Config{Dir: t.TempDir(), Nodes: 6, Node: quickRepair})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	m := emptyMachine(t, n)
	_, _, err = m.home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap(), Code: erasure.Code{K: 2, N: 4}, Retention: time.Hour, Rights: ledger.Full, Device: "machine",
		Options: m.options(), KeepKit: func(k vault.Kit) error { m.kit = k; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	tree := makeTree(t, 5)
	m.backup(tree)
	before := m.status()
	if !before.Safe() || before.Report.Worst.Live != 4 {
		t.Fatalf("before: %+v", before.Report)
	}
	first := before.Holders[0].Name
	breakOperator(t, n, first)
	after := m.statusUntil(func(st vault.Status) bool { return st.Safe() && byOperator(st)[first] == 0 })
	if after.Report.Shards != before.Report.Shards {
		t.Errorf("%d shards, before %d", after.Report.Shards, before.Report.Shards)
	}
	if r := m.backup(tree); r.Durability.Missing != 0 || r.Durability.MinShards != 4 {
		t.Errorf("a backup on what was repaired: %+v", r.Durability)
	}
	empty := emptyMachine(t, n)
	var asked bytes.Buffer
	empty.log = slog.New(slog.NewTextHandler(&locked{w: &asked}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if _, err := empty.home.Claim(t.Context(), vault.Claim{Kit: m.kit, Name: "shop", Rights: ledger.Read, Device: "empty", Options: empty.options()}); err != nil {
		t.Fatal(err)
	}
	empty.restore("latest", tree)
	if gone := before.Holders[0].Node; strings.Contains(asked.String(), "a holder failed\" node="+gone.String()) {
		t.Errorf("node %s is asked for what it does not hold any more", gone)
	}
}

// locked lets several goroutines write.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func breakOperator(t *testing.T, n *testnet.Network, operator string) {
	t.Helper()
	if _, err := n.Break(t.Context(), testnet.Kill, "operator="+operator); err != nil {
		t.Fatal(err)
	}
}

func byOperator(st vault.Status) map[string]int64 {
	out := map[string]int64{}
	for _, h := range st.Holders {
		out[h.Name] += h.Shards
	}
	return out
}

func (m *merchant) status() vault.Status {
	return m.statusUntil(func(vault.Status) bool { return true })
}

// statusUntil asks again until the answer is as wanted.
func (m *merchant) statusUntil(want func(vault.Status) bool) vault.Status {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	s := m.open()
	defer s.Close()
	for {
		if _, err := s.Sync(ctx); err != nil {
			m.t.Fatal(err)
		}
		st, err := s.Status(ctx, vault.StatusSamples)
		if err != nil {
			m.t.Fatal(err)
		}
		if want(st) {
			return st
		}
	}
}
