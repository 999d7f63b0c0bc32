package member_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// largeEntries: go test ./ledger/member -run - -bench OpenLarge -large-entries 100000
var largeEntries = flag.Int("large-entries", 2000, "how many entries BenchmarkOpenLarge has, of ten segments each")

const (
	largeDir   = "HOLDFAST_TEST_LARGE_DIR"
	largeLanes = 10
)

func largeVault() *ledgertest.Vault { return ledgertest.NewVault("large", 4) }

func largeDevice(i int) ident.PrivateKey { return ledgertest.Key(fmt.Sprint("large ", i)) }

// TestLargeChild is a process that opens a large store, and answers what a writer asks
// first.
func TestLargeChild(t *testing.T) {
	dir := os.Getenv(largeDir)
	if dir == "" {
		t.Skip("runs in BenchmarkOpenLarge only")
	}
	v := largeVault()
	begun := time.Now()
	s := must(member.Open(config(dir, v, 0)))
	nonce := [16]byte{1}
	h := must(ledger.VerifyHeads(must(s.Heads(v.ID(), nonce)), v.Charter, v.Charter.Members[0], nonce))
	took := time.Since(begun)
	if len(h.Lanes) != largeLanes+1 {
		t.Fatalf("%d lanes", len(h.Lanes))
	}
	status := string(must(os.ReadFile("/proc/self/status")))
	_, peak, _ := strings.Cut(status, "VmHWM:")
	peak, _, _ = strings.Cut(peak, "kB")
	say("opened %d %s", took.Microseconds(), strings.TrimSpace(peak))
	must(0, s.Close())
}

// fillLarge adds entries to ten lanes, which share flushes.
func fillLarge(b *testing.B, dir string, entries int) {
	b.Helper()
	v := largeVault()
	s := must(member.Open(config(dir, v, 0)))
	must(s.Accept(v.Signed))
	owner := v.OwnerLane()
	var lanes []*ledgertest.Lane
	for i := range largeLanes {
		step := owner.Enrol(v.Grant(largeDevice(i), ledger.Append))
		must(0, s.Adopt(v.ID(), v.LinkOf(step, 0, 1, 2, 3)))
		owner.Advance(step)
		lanes = append(lanes, v.Lane(largeDevice(i)))
	}
	var writers sync.WaitGroup
	for _, l := range lanes {
		writers.Go(func() {
			for i := range entries / largeLanes {
				step := l.Snapshot(fmt.Sprint(i), 10)
				if err := s.Adopt(v.ID(), v.LinkOf(step, 0, 1, 2, 3)); err != nil {
					b.Error(err)
					return
				}
				l.Advance(step)
			}
		})
	}
	writers.Wait()
	must(0, s.Close())
}

// BenchmarkOpenLarge opens a member's store of many entries in a process of its own: how
// long until it has answered for its heads, and with how much memory at the most.
func BenchmarkOpenLarge(b *testing.B) {
	dir := b.TempDir()
	fillLarge(b, dir, *largeEntries)
	for b.Loop() {
		child := exec.Command(os.Args[0], "-test.run=^TestLargeChild$", "-test.count=1")
		child.Env = append(os.Environ(), largeDir+"="+dir)
		out, err := child.CombinedOutput()
		var took, peak int
		_, said, _ := strings.Cut(string(out), "opened ")
		if _, bad := fmt.Sscan(said, &took, &peak); err != nil || bad != nil {
			b.Fatalf("%v: %s", err, out)
		}
		b.ReportMetric(float64(took)/1e6, "s-open")
		b.ReportMetric(float64(peak)/1e3, "MB-peak")
	}
}
