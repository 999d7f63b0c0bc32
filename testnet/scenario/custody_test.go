package scenario

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/node"
	"holdfast/testnet"
)

// These scenarios leave a network alone after something has befallen it, and look
// whether it comes back to all its shards by itself.

// keeper is a world that has backed up enough for several segments.
func keeper(t *testing.T, network testnet.Config, code string) *World {
	t.Helper()
	if network.Node == nil {
		network.Node = soakPace
	}
	w := newWorld(t, Config{Network: network, Code: code})
	for range 3 {
		must(t, w.Tree.Change())
		w.complete(t)
	}
	return w
}

// wantWhole is with what every scenario ends: it waits until every shard is there
// again, and then looks harder: every byte of every shard is read, and what was
// acknowledged comes back on an empty machine.
func (w *World) wantWhole(t *testing.T) {
	t.Helper()
	took, err := w.Whole(t.Context())
	t.Logf("all shards are there again after %v", took.Round(100*time.Millisecond))
	must(t, err)
	must(t, w.AllBytes(t.Context()))
	must(t, os.RemoveAll(w.Machine.Cache()))
	must(t, w.RestoreAll(t.Context()))
}

// One of eight is wiped, and nobody does anything: the others take its shards.
func TestWipedNodeIsReplacedByOthers(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "3/6")
	breakNode(t, w.Net, testnet.Wipe, "node-2")
	w.wantWhole(t)
}

// All eight are needed, and one is wiped: when its operator has made a new volume,
// the shards come back to it.
func TestWipedNodeIsFilledAgain(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "4/8")
	breakNode(t, w.Net, testnet.Wipe, "node-5")
	heal(t, w.Net, "node-5")
	w.wantWhole(t)
	if shards(t, w.Net, "node-5") == 0 {
		t.Error("the new volume is empty")
	}
}

// Half of all are wiped at once: everything still reads; when replacements are there,
// nothing is missing any more.
func TestHalfIsWipedAtOnce(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "4/8")
	gone := []string{"node-1", "node-3", "node-6", "node-8"}
	for _, name := range gone {
		breakNode(t, w.Net, testnet.Wipe, name)
	}
	must(t, w.RestoreAll(t.Context()))
	for _, name := range gone {
		heal(t, w.Net, name)
	}
	w.wantWhole(t)
}

// An operator with three nodes leaves, without a word.
func TestOperatorLeaves(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "3/6")
	for range 2 {
		_, err := w.Net.Add(t.Context(), "op-1")
		must(t, err)
	}
	must(t, w.Tree.Change())
	w.complete(t)
	breakNode(t, w.Net, testnet.Kill, "operator=op-1")
	w.wantWhole(t)
}

// All nodes are restarted, one after another, while backups run: nothing is lost, and
// nothing is repaired for it.
func TestRollingRestartRepairsNothing(t *testing.T) {
	t.Parallel()
	patient := func(name string, c *node.Config) {
		soakPace(name, c)
		c.RepairAfter = node.Duration(time.Minute)    // far above what a restart takes anywhere
		c.AuditEvery = node.Duration(5 * time.Second) // and nobody is called silent who is only slow
	}
	w := keeper(t, testnet.Config{Nodes: 8, Node: patient}, "4/8")
	unplaced := int64(0) // shards that a backup could give to nobody: they are placed later
	for _, name := range w.Net.Names() {
		must(t, w.Tree.Change())
		r, err := w.Backup(t.Context(), func(*Running) error { return w.Net.Restart(t.Context(), name) })
		must(t, err)
		if !r.Was(0, 4, 20) {
			t.Errorf("a backup while %s is restarted: %v", name, r)
		}
		unplaced += r.Durability.Missing
	}
	must(t, w.Tree.Change())
	w.complete(t)
	if n := w.rebuilt(t.Context()); n > unplaced {
		t.Errorf("%d shards were rebuilt, and only %d had been given to nobody", n, unplaced)
	}
	w.wantWhole(t)
}

// A node goes on to answer what it is asked, and has lost some of its shards: their
// files are gone, and its index does not know.
func TestSilentLossIsFound(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "4/8")
	files := shardFiles(t, w.Net, "node-4")
	for _, f := range files[:1+len(files)/100] {
		must(t, os.Remove(f))
	}
	w.wantWhole(t)
}

// Bits rot in a hundred places.
func TestRotIsScrubbedAndRepaired(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "4/8")
	random := rand.New(rand.NewPCG(newSeed(t), 7))
	var files []string
	for _, name := range []string{"node-1", "node-2", "node-3", "node-4"} {
		files = append(files, shardFiles(t, w.Net, name)...)
	}
	for range 100 {
		rot(t, files[random.IntN(len(files))], random)
	}
	must(t, w.AllBytes(t.Context()))
	w.wantWhole(t)
}

// The stewards are killed while they repair, one after another.
func TestStewardsAreKilled(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "3/6")
	breakNode(t, w.Net, testnet.Wipe, "node-2")
	wait(t, "somebody repairs", func() bool { return w.repairs(t) })
	for _, name := range []string{"node-5", "node-7", "node-1", "node-5"} {
		breakNode(t, w.Net, testnet.Kill, name)
		heal(t, w.Net, name)
	}
	w.wantWhole(t)
}

// repairs reports whether some node has something to rebuild, or has begun.
func (w *World) repairs(t *testing.T) bool {
	for _, name := range w.Net.Names() {
		if s, err := node.Ask(t.Context(), w.Net.NodeDir(name)); err == nil && s.Repair.Rebuilt+s.Repair.Queue > 0 {
			return true
		}
	}
	return false
}

// Where a lost shard could go there is no space: it goes elsewhere, or waits for room.
func TestFullNodesDelayRepair(t *testing.T) {
	t.Parallel()
	w := keeper(t, testnet.Config{Nodes: 8}, "3/6")
	breakNode(t, w.Net, testnet.Fill, "node-1")
	breakNode(t, w.Net, testnet.Wipe, "node-2")
	w.wantWhole(t)
}

// shardFiles lists the shard files of a node.
func shardFiles(t *testing.T, n *testnet.Network, name string) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(filepath.Join(volumeOf(n, name), "shards"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	if len(files) == 0 {
		t.Fatalf("%s has no shards", name)
	}
	return files
}

// rot flips one bit of a file, unless that is in quarantine already.
func rot(t *testing.T, path string, random *rand.Rand) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	var b [1]byte
	at := random.Int64N(info.Size())
	_, err = f.ReadAt(b[:], at)
	must(t, err)
	b[0] ^= 1 << random.IntN(8)
	_, err = f.WriteAt(b[:], at)
	must(t, err)
}
