package vault_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/node"
	"holdfast/testnet"
)

// benchCode and benchData are what is backed up for the benchmark: each of the four nodes
// gets 10 GiB of shards. It takes 45 GiB of disk.
var (
	benchCode = erasure.Code{K: 2, N: 4}
	benchData = []int64{5 << 30, 5 << 30, 5 << 30, 5 << 30}
)

// BenchmarkRepair backs up data that does not compress onto nodes in this process, loses
// one node's volume, and rebuilds all of its shards onto a new one. It reports, in MB a
// second:
//
//	put       of the data, from the source to certified
//	rebuilt   of the shards, on the new volume
//	repaired  of the segments that got their shard back: k shards are read for each
//
// The last two are from the first batch of shards that is recorded to the last, without
// the time until the loss is noticed. Run it with -benchtime=1x.
func BenchmarkRepair(b *testing.B) {
	for range b.N {
		n := newNetworkOf(b, benchCode.N, func(name string, c *node.Config) {
			hasty(name, c)
			c.RepairRate = -1
		})
		m := createCoded(b, n, benchCode)
		var all int64
		var took time.Duration
		for i, size := range benchData { // one after the other: the source takes room as well
			file := filepath.Join(b.TempDir(), fmt.Sprint(i))
			writeLarge(b, file, size)
			began := time.Now()
			m.backup(file)
			all, took = all+size, took+time.Since(began)
			if err := os.Remove(file); err != nil {
				b.Fatal(err)
			}
		}
		put := float64(all) / took.Seconds()
		lost := shardsOf(b, n, "node-2")
		if _, err := n.Break(b.Context(), testnet.Wipe, "node-2"); err != nil {
			b.Fatal(err)
		}
		if _, err := n.Heal(b.Context(), "node-2"); err != nil {
			b.Fatal(err)
		}
		rebuilt := rebuilding(b, n, lost)
		repaired := rebuilt * float64(benchCode.K)
		b.ReportMetric(put/1e6, "put-MB/s")
		b.ReportMetric(repaired/1e6, "repaired-MB/s")
		b.ReportMetric(rebuilt/1e6, "rebuilt-MB/s")
		b.ReportMetric(repaired/put, "repaired/put")
		b.ReportMetric(rebuilt/put, "rebuilt/put")
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
			if name == "node-2" {
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
