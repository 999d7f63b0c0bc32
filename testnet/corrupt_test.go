package testnet

import (
	"bytes"
	"math/bits"
	"os"
	"path/filepath"
	"testing"

	"holdfast/node"
)

// Exactly one bit of each file is flipped, in its second half, and the same ones for
// the same seed.
func TestCorruptShards(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, size := range []int{1, 2, 100, 5000} {
		path := filepath.Join(dir, string(rune('a'+i)), "b", "shard.0")
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, bytes.Repeat([]byte{0xaa}, size), 0o600))
		paths = append(paths, path)
	}
	for round, seed := range []string{"node-1", "node-1", "node-2", "node-2"} {
		n, err := corruptShards(dir, seed)
		if err != nil || n != len(paths) {
			t.Fatal(n, err)
		}
		for _, path := range paths {
			p, err := os.ReadFile(path)
			must(t, err)
			flipped := 0
			for i, b := range p {
				flipped += bits.OnesCount8(b ^ 0xaa)
				if b != 0xaa && i < len(p)/2 {
					t.Errorf("%s: byte %d of %d", path, i, len(p))
				}
			}
			if want := 1 - round%2; flipped != want {
				t.Errorf("round %d, %s: %d bits", round, path, flipped)
			}
		}
	}
	if n, err := corruptShards(filepath.Join(dir, "not there"), "x"); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// A node's further volumes are corrupted as well.
func TestCorruptAllVolumes(t *testing.T) {
	more := t.TempDir()
	n, err := InProcess(t.Context(), Config{Dir: t.TempDir(), Nodes: 1, Capacity: 1 << 30})
	down(t, n, err)
	dir := n.NodeDir("node-1")
	_, err = node.ChangeVolume(t.Context(), dir, node.VolumeChange{Do: node.VolumeAdd, Name: "more", Path: more, Capacity: 1 << 30})
	must(t, err)
	path := filepath.Join(more, "shards", "shard.0")
	must(t, os.WriteFile(path, make([]byte, 100), 0o600))
	_, err = n.Break(t.Context(), Corrupt, "node-1")
	must(t, err)
	if p, err := os.ReadFile(path); err != nil || bytes.Equal(p, make([]byte, 100)) {
		t.Errorf("nothing was flipped: %v", err)
	}
}
