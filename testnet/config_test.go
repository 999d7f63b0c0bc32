package testnet

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"no nodes":                  {},
		"too many nodes":            {Nodes: MaxNodes + 1},
		"more operators":            {Nodes: 3, Operators: 4},
		"operators below zero":      {Nodes: 3, Operators: -1},
		"more zones":                {Nodes: 3, Operators: 2, Zones: 3},
		"a network that is no test": {Nodes: 1, Network: "main"},
	} {
		c.Dir = filepath.Join(t.TempDir(), "net")
		if _, err := InProcess(t.Context(), c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(c.Dir); err == nil {
			t.Errorf("%s: the folder was made", name)
		}
	}
	c := Config{Nodes: 6, Operators: 3}
	if err := c.fill(); err != nil || c.Zones != 3 || c.Network != DefaultNetwork || c.Capacity != DefaultCapacity || !filepath.IsAbs(c.Dir) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFolderInUse(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("x"), 0o600))
	if _, err := InProcess(t.Context(), Config{Dir: dir, Nodes: 1}); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
}

func TestNoNetwork(t *testing.T) {
	dir := t.TempDir()
	if _, err := Attach(dir, nil); !errors.Is(err, ErrNoNetwork) {
		t.Error(err)
	}
	for _, text := range []string{"", "{", "[]", `{"nodes": 5}`} {
		must(t, os.WriteFile(filepath.Join(dir, descriptionName), []byte(text), 0o600))
		if _, err := Attach(dir, nil); !errors.Is(err, ErrNoNetwork) {
			t.Errorf("%q: %v", text, err)
		}
	}
	must(t, os.Truncate(filepath.Join(dir, descriptionName), descriptionMax+1))
	if _, err := Attach(dir, nil); !errors.Is(err, ErrNoNetwork) {
		t.Error("an endless file:", err)
	}
}

func TestFreePorts(t *testing.T) {
	ports, err := freePorts(50)
	must(t, err)
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 50 {
		t.Error("a port twice")
	}
	for _, p := range ports {
		if p < firstPort || p >= lastPort {
			t.Errorf("port %d", p)
		}
		l, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(p))
		must(t, err)
		must(t, l.Close())
	}
}

func TestTargets(t *testing.T) {
	n := &Network{desc: description{Nodes: []nodeDesc{{Name: "node-1", Operator: "op-1"}, {Name: "node-2", Operator: "op-2"}, {Name: "node-3", Operator: "op-1"}}}}
	for target, want := range map[string][]string{
		"node-2": {"node-2"}, "operator=op-1": {"node-1", "node-3"}, "operator=op-2": {"node-2"},
		"op-1": nil, "operator=": nil, "": nil, "node-4": nil, "operator=node-1": nil,
	} {
		got, err := n.Targets(target)
		if !slices.Equal(got, want) || (want == nil) != errors.Is(err, ErrNoNode) {
			t.Errorf("%q: %v, %v", target, got, err)
		}
	}
}
