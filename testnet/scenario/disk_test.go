package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/testnet"
)

// volumeOf is a node's volume.
func volumeOf(n *testnet.Network, name string) string {
	return filepath.Join(n.NodeDir(name), "volume")
}

// A node is started again from an older image of its disk. It has forgotten entries
// and shards; the next commit brings it up to date before it votes, nobody's history
// forks, and what it has lost is read from the others until the network has brought it
// back.
func TestOlderDiskImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4, Node: soakPace}, Seed: newSeed(t)})
	backup := func() {
		t.Helper()
		must(t, w.Tree.Change())
		w.complete(t)
	}
	backup()
	volume, image := volumeOf(w.Net, "node-2"), filepath.Join(t.TempDir(), "image")
	breakNode(t, w.Net, testnet.Kill, "node-2")
	must(t, copyTree(volume, image))
	heal(t, w.Net, "node-2")
	backup()
	backup()

	breakNode(t, w.Net, testnet.Kill, "node-2")
	must(t, os.RemoveAll(volume))
	must(t, copyTree(image, volume))
	heal(t, w.Net, "node-2")
	if r, err := w.List(t.Context()); err != nil || len(r.Listed) != len(w.kept) {
		t.Fatal(r, err)
	}
	// It sees a vote of its own that it does not know, in the certificates that have one,
	// and votes no more. With another vote key, which takes the owner and a quorum, it is
	// a member again, as soon as it has what it lacks.
	must(t, w.Tree.Change())
	r, err := w.Backup(t.Context(), nil)
	must(t, err)
	if !r.Was(0, 4) || r.Acked < 3 {
		t.Fatal(r, r.Acked)
	}
	r, err = w.Machine.Run(t.Context(), "vault", "change", "--renew", "--phrase-file", w.Kit)
	wantCode(t, r, err, 0)
	w.complete(t) // node-2 votes again
	_, err = w.List(t.Context())
	must(t, err)
	w.wantWhole(t)

	// It has the whole history again: alone it shows all of it.
	for _, name := range []string{"node-1", "node-3", "node-4"} {
		breakNode(t, w.Net, testnet.Kill, name)
	}
	must(t, os.RemoveAll(w.Machine.Cache()))
	r, err = w.Machine.Run(t.Context(), "snapshots")
	wantCode(t, r, err, 0)
	if len(r.Listed) != len(w.kept) {
		t.Errorf("the node that was set back shows %d snapshots", len(r.Listed))
	}
}

// A node whose space is used up refuses, the others hold the rest: exit 4. With room
// again, the same command completes it.
func TestFullNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4}, Seed: newSeed(t)})
	w.complete(t)
	breakNode(t, w.Net, testnet.Fill, "node-3")
	must(t, w.Tree.Change())
	must(t, w.Tree.add())
	r, err := w.Backup(t.Context(), nil)
	wantCode(t, r, err, 4)
	if r.Durability.MinShards != 3 || r.Acked < 3 {
		t.Error(r.Durability, r.Acked)
	}
	must(t, w.RestoreAll(t.Context()))
	breakNode(t, w.Net, testnet.Fill, "node-2")
	must(t, w.Tree.add())
	r, err = w.Backup(t.Context(), nil) // 3 of 4 are needed
	if err != nil || !r.Was(15, 20) {
		t.Error(r, err)
	}
	heal(t, w.Net, "node-2")
	heal(t, w.Net, "node-3")
	w.complete(t)
	must(t, w.RestoreAll(t.Context()))
}

// The restoring machine's disk is full: exit 15, and the same command goes on when
// there is room.
func TestFullTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4}, Seed: newSeed(t)})
	target := t.TempDir()
	grow := mountSmall(t, target)
	must(t, os.WriteFile(filepath.Join(w.Tree.Dir, "large"), noise(4<<20, 1), 0o600))
	r := w.complete(t)
	full, err := w.Machine.Run(t.Context(), "restore", r.Snapshot, "--target", target)
	wantCode(t, full, err, 15)
	must(t, grow())
	again, err := w.Machine.Run(t.Context(), "restore", r.Snapshot, "--target", target)
	wantCode(t, again, err, 0)
	_, err = testnet.Compare(t.Context(), w.Tree.Dir, filepath.Join(target, w.Tree.Dir))
	must(t, err)
}

// A volume is unmounted under a live node: it is paused, nothing is written into the
// empty folder that is left in its place, and when the volume is mounted again the
// node goes on as a member with all its shards.
func TestUnmountedVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4}, Seed: newSeed(t)})
	volume, disk := volumeOf(w.Net, "node-4"), t.TempDir()
	breakNode(t, w.Net, testnet.Kill, "node-4")
	must(t, os.Rename(volume, filepath.Join(disk, "volume")))
	must(t, os.Mkdir(volume, 0o700))
	mount, unmount := bindMount(t, filepath.Join(disk, "volume"), volume)
	must(t, mount())
	heal(t, w.Net, "node-4")
	w.complete(t)

	must(t, unmount())
	wait(t, "the node is paused", func() bool { return stateOf(t, w.Net, "node-4") == testnet.StatePaused })
	must(t, w.Tree.Change())
	must(t, w.Tree.add())
	r, err := w.Backup(t.Context(), nil)
	wantCode(t, r, err, 4)
	if left, err := os.ReadDir(volume); err != nil || len(left) != 0 {
		t.Errorf("written in its place: %v, %v", left, err)
	}
	must(t, mount())
	wait(t, "the node serves", func() bool { return stateOf(t, w.Net, "node-4") == testnet.StateRunning })
	w.complete(t)
	must(t, w.RestoreAll(t.Context()))
}

func stateOf(t *testing.T, n *testnet.Network, name string) string {
	t.Helper()
	for _, s := range n.Status(t.Context()) {
		if s.Name == name {
			return s.State
		}
	}
	return ""
}

// The cache is deleted before each command, and while nothing runs nothing is missed.
func TestCacheDeletedBetweenCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4}, Seed: newSeed(t)})
	forget := func() { must(t, os.RemoveAll(w.Machine.Cache())) }
	first := Report{}
	for i := range 3 {
		forget()
		if r := w.complete(t); i == 0 {
			first = r
		}
		must(t, w.Tree.Change())
	}
	for _, args := range [][]string{
		{"snapshots"}, {"ls", first.Snapshot}, {"status"}, {"check", "--read-data"}, {"vault", "show"},
		{"dump", first.Snapshot + ":" + w.Tree.Dir}, {"backup", w.Tree.Dir}, {"restore", "latest", "--target", t.TempDir()},
	} {
		forget()
		call := Call{Args: args}
		if args[0] == "dump" {
			call.Stdout = new(strings.Builder)
		}
		if r, err := w.Machine.Do(t.Context(), call); err != nil || r.Code != 0 {
			t.Errorf("%v: %v, %v", args, r, err)
		}
	}
	forget()
	must(t, w.RestoreAll(t.Context()))
}
