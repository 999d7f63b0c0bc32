package scenario

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/testnet"
	"holdfast/vault"
)

// clocks are those of all nodes: three hours ago while the network is made, so that
// its certificates are not of today, and then right, but for one.
type clocks struct {
	made atomic.Bool
	node string
	off  time.Duration
}

func (c *clocks) of(node string) func() time.Time {
	return func() time.Time {
		switch {
		case !c.made.Load():
			return time.Now().Add(-3 * time.Hour)
		case node == c.node:
			return time.Now().Add(c.off)
		}
		return time.Now()
	}
}

// begin makes the clocks right, but for one: certificates are three hours old then.
func (c *clocks) begin(ctx context.Context, n *testnet.Network) error {
	c.made.Store(true)
	for _, name := range n.Names() {
		if err := n.Restart(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// clocked is a vault on a network in this process, where every node can have a clock
// of its own.
type clocked struct {
	t    *testing.T
	home vault.Home
}

func newClocked(t *testing.T, nodes int, node string, off time.Duration) clocked {
	t.Helper()
	clock := &clocks{node: node, off: off}
	n, err := testnet.InProcess(t.Context(), testnet.Config{Dir: t.TempDir(), Nodes: nodes, Clock: clock.of})
	must(t, err)
	t.Cleanup(func() { must(t, n.Down(context.Background())) })
	must(t, clock.begin(t.Context(), n))
	dir := t.TempDir()
	c := clocked{t, vault.Home{Dir: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache")}}
	_, _, err = c.home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap(), Rights: ledger.Full, Device: "x", Retention: time.Hour,
		KeepKit: func(vault.Kit) error { return nil },
	})
	must(t, err)
	return c
}

func (c clocked) backup(now func() time.Time, text string) (vault.Result, error) {
	c.t.Helper()
	s, err := c.home.Open(c.t.Context(), "shop", vault.Options{Now: now, Warn: func(text string) { c.t.Log("warning:", text) }})
	if err != nil {
		return vault.Result{}, err
	}
	defer s.Close()
	if _, err := s.Begin(c.t.Context()); err != nil {
		return vault.Result{}, err
	}
	return s.Backup(c.t.Context(), vault.Backup{Name: "f", Stream: strings.NewReader(text), Program: "test"})
}

// wantRight checks that a backup becomes complete, and that its time is the right one.
func (c clocked) wantRight(now func() time.Time, text string) {
	c.t.Helper()
	wait(c.t, "a complete backup", func() bool {
		r, err := c.backup(now, text)
		must(c.t, err)
		if wrong := time.Since(r.Final.Link.Time).Abs(); wrong > 10*time.Minute {
			c.t.Fatalf("%v from the right time", wrong)
		}
		return r.Complete()
	})
}

// Clocks that are an hour apart, a node's or the merchant's, hold up nothing, and do
// not move the time of an entry: that is the members' median.
func TestClocksAnHourApart(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		wrong := func() time.Time { return time.Now().Add(by) }
		t.Run(fmt.Sprint("node ", by), func(t *testing.T) {
			newClocked(t, 4, "node-2", by).wantRight(nil, "x")
		})
		t.Run(fmt.Sprint("client ", by), func(t *testing.T) {
			c := newClocked(t, 4, "", 0)
			for i, now := range []func() time.Time{wrong, nil, wrong} {
				c.wantRight(now, fmt.Sprint(i))
			}
		})
	}
}
