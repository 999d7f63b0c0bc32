package testnet

import (
	"errors"
	"testing"

	"holdfast/node"
)

// TestSplit cuts a network in two halves and makes it whole again.
func TestSplit(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	ctx := t.Context()
	n, err := Up(ctx, Config{
		Dir: t.TempDir(), Nodes: 4, Capacity: 1 << 30, Program: program, Attached: true, Apart: []string{"node-3", "node-4"},
	})
	if errors.Is(err, ErrNamespace) {
		t.Skip(err)
	}
	down(t, n, err)
	peers := func(want int) {
		t.Helper()
		for _, name := range n.Names() {
			if err := n.await(ctx, name, func(s node.Status) bool { return s.Peers == want }); err != nil {
				t.Errorf("%s with %d peers: %v", name, want, err)
			}
		}
	}
	peers(3)
	must(t, n.Split())
	peers(1)
	must(t, n.Join())
	peers(3)
}

func TestOnlyProcessesRunApart(t *testing.T) {
	_, err := InProcess(t.Context(), Config{Dir: t.TempDir(), Nodes: 2, Capacity: 1 << 30, Apart: []string{"node-1"}})
	if !errors.Is(err, ErrConfig) {
		t.Errorf("InProcess: %v", err)
	}
	n, err := InProcess(t.Context(), Config{Dir: t.TempDir(), Nodes: 1, Capacity: 1 << 30})
	down(t, n, err)
	if err := n.Split(); !errors.Is(err, ErrWhole) {
		t.Errorf("Split: %v", err)
	}
}
