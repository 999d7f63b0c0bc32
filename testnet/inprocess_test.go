package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/node"
)

func TestInProcess(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	n, err := InProcess(ctx, Config{Dir: dir, Nodes: 4, Operators: 2, Capacity: 1 << 30})
	down(t, n, err)
	wantStates(t, n, nil)
	for i, s := range n.Status(ctx) {
		if s.Status.Peers != 3 || s.Status.Capacity != 1<<30 || s.Status.Addrs[0] != s.Addr || s.Zone != s.Status.Zone || s.Status.Name != s.Operator || s.PID != os.Getpid() {
			t.Errorf("node %d: %+v", i+1, s)
		}
	}
	lines, err := os.ReadFile(n.BootstrapFile())
	if err != nil || strings.TrimSpace(string(lines)) != strings.Join(n.Bootstrap(), "\n") || len(n.Bootstrap()) != 4 {
		t.Errorf("%s, %v", lines, err)
	}

	if _, err := n.Break(ctx, "tickle", "node-1"); !errors.Is(err, ErrHarm) {
		t.Error(err)
	}
	if _, err := n.Break(ctx, Kill, "node-9"); !errors.Is(err, ErrNoNode) {
		t.Error(err)
	}
	if _, err := n.Break(ctx, Stop, "node-1"); !errors.Is(err, errInProcess) {
		t.Error(err)
	}

	must(t, node.Pause(n.NodeDir("node-2"), time.Now().Add(time.Hour), "", time.Now()))
	if names, err := n.Break(ctx, Kill, "operator=op-2"); err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	wantStates(t, n, map[string]string{"node-2": StateDead, "node-4": StateDead})
	must(t, n.AwaitReady(ctx))
	if _, err := n.Heal(ctx, "operator=op-2"); err != nil { // it is ready, although announced as away
		t.Fatal(err)
	}
	must(t, node.Resume(n.NodeDir("node-2")))
	wantStates(t, n, nil)

	wipeAndHeal(t, n, "node-3")
	fillAndHeal(t, n, "node-1")
	must(t, n.Restart(ctx, "node-4"))
	must(t, n.Down(ctx))
	wantStates(t, n, map[string]string{"node-1": StateDead, "node-2": StateDead, "node-3": StateDead, "node-4": StateDead})
}

// wipeAndHeal empties a node's volume: it loses its vote, and gets a new one only by
// healing.
func wipeAndHeal(t *testing.T, n *Network, name string) {
	t.Helper()
	ctx := t.Context()
	before, err := node.Ask(ctx, n.NodeDir(name))
	must(t, err)
	if _, err := n.Break(ctx, Wipe, name); err != nil {
		t.Fatal(err)
	}
	wantStates(t, n, map[string]string{name: StatePaused})
	if left, err := os.ReadDir(filepath.Join(n.NodeDir(name), volumeName)); err != nil || len(left) > 0 {
		t.Errorf("left on the volume: %v, %v", left, err)
	}
	if _, err := n.Heal(ctx, name); err != nil {
		t.Fatal(err)
	}
	wantStates(t, n, nil)
	after, err := node.Ask(ctx, n.NodeDir(name))
	if err != nil || after.Node != before.Node || after.Serial != before.Serial+1 {
		t.Errorf("%+v after %+v, %v", after, before, err)
	}
}

func fillAndHeal(t *testing.T, n *Network, name string) {
	t.Helper()
	ctx := t.Context()
	want := func(capacity, free int64) {
		t.Helper()
		s, err := node.Ask(ctx, n.NodeDir(name))
		if err != nil || s.Capacity != capacity || s.Free > free {
			t.Errorf("%+v, %v", s, err)
		}
	}
	if _, err := n.Break(ctx, Fill, name); err != nil {
		t.Fatal(err)
	}
	want(1, 1)
	if _, err := n.Heal(ctx, name); err != nil {
		t.Fatal(err)
	}
	want(1<<30, 1<<30)
}
