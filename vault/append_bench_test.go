package vault

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/testnet"
)

// BenchmarkAppend makes an entry of a small commit final, when its segments are stored
// and its receipts collected: two round trips to eight members in this process, on one
// disk, with their two flushes.
func BenchmarkAppend(b *testing.B) {
	n, err := testnet.InProcess(b.Context(), testnet.Config{Dir: b.TempDir(), Nodes: 8})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := n.Down(context.Background()); err != nil {
			b.Error(err)
		}
	})
	home := Home{Dir: filepath.Join(b.TempDir(), "home"), Cache: b.TempDir()}
	_, _, err = home.Create(b.Context(), Create{
		Name: "shop", Bootstrap: n.Bootstrap(), Rights: ledger.Full, Device: "x", KeepKit: func(Kit) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := home.Open(b.Context(), "shop", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Begin(b.Context()); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		c, p := prepareSmall(b, s)
		b.StartTimer()
		begin := time.Now()
		final, err := s.append(b.Context(), s.profile.Device, p.entry, p.encoded)
		if err != nil || !final.OnAll() {
			b.Fatalf("%d acks, %v", final.Acks, err)
		}
		took = append(took, time.Since(begin))
		b.StopTimer()
		if err := c.takeOwn(final.Link, p.body, p.done); err != nil {
			b.Fatal(err)
		}
		c.close()
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
}

// prepareSmall brings a commit of a few bytes to where its entry is signed.
func prepareSmall(b *testing.B, s *Session) (*commit, prepared) {
	b.Helper()
	c, _, err := s.newCommit(b.Context(), Backup{Name: "f", Stream: strings.NewReader(time.Now().String()), Program: "benchmark"})
	if err != nil {
		b.Fatal(err)
	}
	snap, _, err := c.archive(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	introduced, err := c.writer.Flush(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	p, err := c.prepare(b.Context(), c.open, c.writer, snap, introduced+1)
	if err != nil {
		b.Fatal(err)
	}
	return c, p
}
