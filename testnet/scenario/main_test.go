package scenario

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/leaktest"
	"holdfast/testnet"
)

// The flags of longer runs: go test ./testnet/scenario -long, or one figure alone.
var (
	long  = flag.Bool("long", false, "everything at full size: 200 killed clients, a file of 5 GiB, a soak of 10 minutes, nodes held and networks split for a minute")
	kills = flag.Int("kills", 0, "how often TestClientKilled kills its client; 0: 8, with -long 200")
	seed  = flag.Uint64("seed", 0, "of what is random; 0: another one each time")
)

// program is the shipped program, built once.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "scenario-program-")
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

// newSeed is logged, so that a run can be repeated with -seed.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed %d", s)
	return s
}

// newWorld makes a world that lives as long as the test. Tests with real processes
// are left out of a short run.
func newWorld(t *testing.T, c Config) *World {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	c.Network.Program, c.Network.Attached = program, true
	w, err := NewWorld(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wait waits for a condition.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	p, tick := newPatience(), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if !p.lasts() {
			t.Fatalf("%s: not after %v", what, stall)
		}
		<-tick.C
	}
}

// complete backs up the tree until nothing is missing: where a machine is too busy for
// an answer in time, the same command completes it.
func (w *World) complete(t testing.TB) Report {
	t.Helper()
	for p := newPatience(); ; {
		r, err := w.Backup(context.Background(), nil)
		must(t, err)
		switch {
		case r.Code == 0:
			return r
		case !r.Was(4, 20) || !p.lasts(int64(r.Durability.MinShards), int64(r.Acked)):
			t.Fatalf("a complete backup: %v", r)
		}
		t.Logf("once more: %v", r)
	}
}

// breakNode harms a node.
func breakNode(t testing.TB, n *testnet.Network, how testnet.Harm, name string) {
	t.Helper()
	_, err := n.Break(context.Background(), how, name)
	must(t, err)
}

func heal(t testing.TB, n *testnet.Network, name string) {
	t.Helper()
	_, err := n.Heal(context.Background(), name)
	must(t, err)
}

// wantCode checks how a run has ended.
func wantCode(t testing.TB, r Report, err error, code int) {
	t.Helper()
	must(t, err)
	if r.Code != code {
		t.Fatalf("%v; want exit %d", r, code)
	}
}
