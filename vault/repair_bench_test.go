package vault_test

import (
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/node"
	"holdfast/testnet"
)

// benchData is what is backed up for the benchmark: with code 4/8 a quarter of it is on
// each of the eight nodes.
const benchData = 1 << 30

// BenchmarkRepair backs up data that does not compress onto eight nodes in this process,
// with code 4/8, loses one node's volume, and rebuilds all of its shards onto a new one.
// It reports both rates, of the data and of the shards, and their ratio: from the first
// shard that is recorded to the last, without the time until the loss is noticed. Run it
// with -benchtime=1x.
func BenchmarkRepair(b *testing.B) {
	for range b.N {
		n := newNetworkOf(b, 8, func(name string, c *node.Config) {
			hasty(name, c)
			c.RepairRate = -1
		})
		m := createCoded(b, n, erasure.Code{K: 4, N: 8})
		file := filepath.Join(b.TempDir(), "file")
		writeLarge(b, file, benchData)
		began := time.Now()
		m.backup(file)
		put := float64(benchData) / time.Since(began).Seconds()
		if err := os.Remove(file); err != nil {
			b.Fatal(err)
		}
		lost := shardsOf(b, n, "node-5")
		if _, err := n.Break(b.Context(), testnet.Wipe, "node-5"); err != nil {
			b.Fatal(err)
		}
		if _, err := n.Heal(b.Context(), "node-5"); err != nil {
			b.Fatal(err)
		}
		repair := rebuilding(b, n, lost)
		b.ReportMetric(put/1e6, "put-MB/s")
		b.ReportMetric(repair/1e6, "repair-MB/s")
		b.ReportMetric(repair/put, "repair/put")
	}
}

func writeLarge(b *testing.B, path string, size int64) {
	b.Helper()
	f, err := os.Create(path)
	if err == nil {
		_, err = io.CopyN(f, rand.Reader, size)
	}
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

func shardsOf(b *testing.B, n *testnet.Network, name string) int64 {
	b.Helper()
	s, err := node.Ask(b.Context(), n.NodeDir(name))
	if err != nil {
		b.Fatal(err)
	}
	return s.Shards
}

// rebuilding waits until so many shards are rebuilt, and returns at how many bytes of
// them a second.
func rebuilding(b *testing.B, n *testnet.Network, lost int64) float64 {
	b.Helper()
	var first time.Time
	var before int64
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var rebuilt, used, shards int64
		for _, name := range n.Names() {
			s, err := node.Ask(b.Context(), n.NodeDir(name))
			if err != nil {
				continue // it is busy
			}
			rebuilt += s.Repair.Rebuilt
			if name == "node-5" {
				used, shards = s.Used, s.Shards
			}
		}
		switch {
		case rebuilt > 0 && first.IsZero():
			first, before = time.Now(), rebuilt
		case rebuilt >= lost:
			return float64(used) / float64(shards) * float64(rebuilt-before) / time.Since(first).Seconds()
		}
		select {
		case <-tick.C:
		case <-b.Context().Done():
			b.FailNow()
		}
	}
}
