package scenario

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"holdfast/testnet"
)

// full is what one full segment of incompressible bytes takes to be certain of, and
// what its rows are together at half of n.
const (
	full     = 40 << 20
	fullRows = 60 << 20
)

// members are the nodes that vote in the vault; the others only hold.
func members(t *testing.T, n *testnet.Network) (voting, holding []string) {
	t.Helper()
	var all []testnet.NodeState
	wait(t, "every node says how it is", func() bool {
		all = n.Status(t.Context())
		return !slices.ContainsFunc(all, func(s testnet.NodeState) bool { return s.Status == nil })
	})
	for _, s := range all {
		member := false
		for _, v := range s.Status.Vaults {
			member = member || v.Member
		}
		if member {
			voting = append(voting, s.Name)
		} else {
			holding = append(holding, s.Name)
		}
	}
	return voting, holding
}

// Nodes that only hold are killed. What was meant for one that is gone goes to the
// other node of its operator, and nothing is missing. What one had taken already is
// missing in the end, and the same command puts it elsewhere.
func TestHolderKilledDuringPut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 8, Operators: 4}})
	_, holding := members(t, w.Net)
	f := w.feed(t)
	f.write(noise(1<<20, 1)) // it reads: it has chosen its holders
	breakNode(t, w.Net, testnet.Kill, holding[0])
	breakNode(t, w.Net, testnet.Kill, holding[1])
	f.write(noise(2*full, 2))
	r := f.end()
	if r.Code != 0 || r.Durability.MinShards != 4 {
		t.Fatal(r, r.Durability)
	}
	w.wantStream(t, r.Snapshot, f.data)

	f = w.feed(t)
	f.write(noise(full, 3))
	f.placed(32 << 20)
	breakNode(t, w.Net, testnet.Kill, holding[2])
	f.write(noise(full, 4))
	r = f.end()
	if !r.Was(0, 4) || r.Durability.MinShards < 3 {
		t.Fatal(r, r.Durability)
	}
	w.wantStream(t, r.Snapshot, f.data)
	w.completeStream(t, f.data)
}

// A member is killed while a row is on its way to it, and no other operator is there
// to take the shard: exit 4, and it says how many there are. The same command
// completes it when the node is back.
func TestNodeKilledDuringPut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 8}})
	f := w.feed(t)
	f.write(noise(full, 1))
	f.placed(fullRows)
	breakNode(t, w.Net, testnet.Stop, "node-3")
	f.write(noise(full, 2))
	breakNode(t, w.Net, testnet.Kill, "node-3")
	r := f.end()
	if r.Code != 4 || r.Durability.MinShards > 7 || r.Acked > 7 {
		t.Fatal(r, r.Durability, r.Acked)
	}
	w.wantStream(t, r.Snapshot, f.data)
	heal(t, w.Net, "node-3")
	w.completeStream(t, f.data)
}

// Half of the nodes are killed one after another while a restore reads: it goes on as
// long as k are left.
func TestNodesKilledDuringRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 8}})
	data := noise(5*full, 3)
	r := w.completeStream(t, data)
	d := w.dump(t, r.Snapshot)
	got := d.read(full / 2)
	for _, name := range []string{"node-2", "node-4", "node-5", "node-7"} {
		breakNode(t, w.Net, testnet.Kill, name)
		got = append(got, d.read(full)...)
	}
	rest, err := io.ReadAll(d.out)
	must(t, err)
	d.wantEnd()
	if got = append(got, rest...); !bytes.Equal(got, data) {
		t.Error("other bytes came back")
	}
}

// A node is held (SIGSTOP) while a row is on its way to it. The put does not wait for
// it to come back: a holder that stalls is given up. When the node goes on, the same
// command completes the backup.
func TestNodeHeldDuringPut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 8}})
	f := w.feed(t)
	f.write(noise(full, 1))
	f.placed(fullRows)
	breakNode(t, w.Net, testnet.Stop, "node-6")
	began := time.Now()
	f.write(noise(full, 2))
	r := f.end()
	t.Logf("held for the rest of the put: it took %v", time.Since(began).Round(time.Millisecond))
	if r.Code != 4 || r.Durability.MinShards > 7 {
		t.Fatal(r, r.Durability)
	}
	w.wantStream(t, r.Snapshot, f.data)
	heal(t, w.Net, "node-6")
	w.completeStream(t, f.data)
}

// Nodes are held while a restore reads from them: others are asked instead.
func TestNodesHeldDuringRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 8}})
	data := noise(2*full, 3)
	r := w.completeStream(t, data)
	d := w.dump(t, r.Snapshot)
	got := d.read(full / 2)
	for _, name := range []string{"node-1", "node-2"} {
		breakNode(t, w.Net, testnet.Stop, name)
	}
	began := time.Now()
	rest, err := io.ReadAll(d.out)
	must(t, err)
	d.wantEnd()
	t.Logf("the rest took %v", time.Since(began).Round(time.Millisecond))
	if got = append(got, rest...); !bytes.Equal(got, data) {
		t.Error("other bytes came back")
	}
}
