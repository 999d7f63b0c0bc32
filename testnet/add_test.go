package testnet

import (
	"errors"
	"testing"

	"holdfast/node"
)

// A network grows: by a node of an operator who is there, and by new operators.
func TestAdd(t *testing.T) {
	ctx := t.Context()
	n, err := InProcess(ctx, Config{
		Dir: t.TempDir(), Nodes: 2, Capacity: 1 << 30,
		Node: func(name string, c *node.Config) { c.VaultQuota = 1 << 20; c.Zone = "lost" },
	})
	down(t, n, err)
	for _, want := range []struct{ operator, name, of, zone string }{
		{"op-2", "node-3", "op-2", "zone-2"},
		{"", "node-4", "op-3", "zone-3"},
		{"op-9", "node-5", "op-9", "zone-4"},
	} {
		name, err := n.Add(ctx, want.operator)
		if err != nil || name != want.name {
			t.Fatalf("%+v: %s, %v", want, name, err)
		}
		all := n.Status(ctx)
		got := all[len(all)-1]
		if got.Name != name || got.State != StateRunning || got.Operator != want.of || got.Zone != want.zone || got.Status.Name != want.of || got.Status.Zone != want.zone {
			t.Errorf("%+v: %+v", want, got)
		}
		c, err := node.ReadConfig(n.NodeDir(name))
		if err != nil || c.VaultQuota != 1<<20 || c.Capacity != 1<<30 || len(c.Bootstrap) != min(len(all)-1, bootstrapNodes) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if len(n.Bootstrap()) != 5 {
		t.Error(n.Bootstrap())
	}
	for _, name := range []string{"../op-1", "op-", "op-x", "operator"} {
		if _, err := n.Add(ctx, name); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := n.Break(ctx, Kill, "node-4"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Heal(ctx, "operator=op-3"); err != nil {
		t.Fatal(err)
	}
	wantStates(t, n, nil)
}
