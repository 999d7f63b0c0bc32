package web

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"holdfast/internal/webpage/pagetest"
	"holdfast/ledger"
	"holdfast/node"
	"holdfast/testnet"
	"holdfast/vault"
)

// hurry lets nodes notice within seconds.
func hurry(_ string, c *node.Config) {
	c.AuditEvery, c.InventoryEvery, c.AuditSamples = node.Duration(time.Second), node.Duration(2*time.Second), 1_000_000
	c.RepairAfter, c.RepairTurn = node.Duration(2*time.Second), node.Duration(time.Second)
}

// backUp makes a vault in a network, and a snapshot in it.
func backUp(t *testing.T, n *testnet.Network) {
	t.Helper()
	dir := t.TempDir()
	home := vault.Home{Dir: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache")}
	_, _, err := home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap(), Rights: ledger.Full, Device: "machine", KeepKit: func(vault.Kit) error { return nil },
	})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "file"), make([]byte, 3<<20), 0o600))
	s, err := home.Open(t.Context(), "shop", vault.Options{})
	must(t, err)
	defer s.Close()
	_, err = s.Begin(t.Context())
	must(t, err)
	_, err = s.Backup(t.Context(), vault.Backup{Paths: []string{filepath.Join(dir, "file")}, Program: "test"})
	must(t, err)
}

// A person breaks a node and watches how the margin falls, and how it comes back when
// its operator has another one.
func TestRepairIsSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for repair")
	}
	n, s := showWith(t, testnet.Config{Nodes: 4, Capacity: 1 << 30, Node: hurry})
	b := pagetest.Open(t, s.URL())
	b.Do("open", chromedp.Navigate(s.URL()))
	backUp(t, n)
	b.Until("all is safe", `document.querySelector("#verdict").innerText.includes("each segment can lose 2 shards")`)
	b.Until("the chart begins", `document.querySelector("svg.chart") !== null`)
	b.Inspect()

	b.Click("#break-node-2 summary")
	b.Click("#kill-node-2")
	b.Until("the margin falls", `document.querySelector("#verdict").innerText.includes("every segment can lose 1 shard more")`)
	b.Inspect()
	b.Click("#add-op-2")
	b.Until("it comes back", `document.querySelector("#verdict").innerText.includes("Every segment has all its shards")`)
	b.Until("and who did it is counted", `Number(document.querySelector("#figures").innerText.match(/(\d+) shards done/)[1]) > 0`)
}
