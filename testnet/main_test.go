package testnet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/leaktest"
)

// program is the shipped program, built once for all tests with real processes.
var program string

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentEnv); dir != "" {
		beParent(dir)
		return
	}
	if dir := os.Getenv(clientEnv); dir != "" {
		beClient(dir)
		return
	}
	dir, err := os.MkdirTemp("", "testnet-program-")
	if err == nil {
		program = filepath.Join(dir, "holdfast")
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build holdfast:", err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	status := leaktest.Run(m)
	os.RemoveAll(dir)
	os.Exit(status)
}

func build(to string) error {
	out, err := exec.Command("go", "build", "-o", to, "holdfast/cmd/holdfast").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// parentEnv names the folder of a network that this program, started again by a
// test, shall start with nodes that end when it does.
const parentEnv = "HOLDFAST_TESTNET_PARENT"

func beParent(dir string) {
	if _, err := Up(context.Background(), Config{Dir: dir, Nodes: 2, Program: os.Getenv(parentEnv + "_PROGRAM"), Attached: true}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	select {}
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not in time", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// down ends a network with the test.
func down(t testing.TB, n *Network, err error) *Network {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, n.Down(context.Background())) })
	return n
}

// wantStates compares the states of all nodes. On a busy machine a node may be silent for
// a moment.
func wantStates(t testing.TB, n *Network, want map[string]string) {
	t.Helper()
	var all []NodeState
	until(t, "no node is silent", func() bool {
		all = n.Status(t.Context())
		return !slices.ContainsFunc(all, func(s NodeState) bool { return s.State == StateSilent })
	})
	for _, s := range all {
		w := want[s.Name]
		if w == "" {
			w = StateRunning
		}
		if s.State != w || (s.PID != 0) != (w != StateDead) || (s.Status != nil) != (w == StateRunning || w == StatePaused) {
			t.Errorf("%s: %+v; want %s", s.Name, s, w)
		}
	}
}
