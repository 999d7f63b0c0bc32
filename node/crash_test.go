package node

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
)

// crashEnv names the folder of a node that this program, started again by a test,
// shall fill until it is killed.
const crashEnv = "HOLDFAST_NODE_CRASH"

// TestCrashChild puts shards and says for which of them it has given a receipt.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashEnv)
	if dir == "" {
		t.Skip("only as the child of TestKilledNodeKeepsItsPromises")
	}
	b := newBenchAt(t, dir, 4)
	s := b.session()
	for seed := uint64(os.Getpid()) << 20; ; seed++ {
		g := segment(t, 50_000, seed)
		for i := range 3 {
			b.mustPut(s, g, i)
		}
		r, err := receipt(t, b, s, nonce, ref(g, 0), ref(g, 2))
		must(t, err)
		fmt.Printf("kept %s %d\n", g.CID, r.Until)
	}
}

// Law: whenever a node is killed, what it gave a receipt for is on its disk, and its
// book will not let go of it before the promised time.
func TestKilledNodeKeepsItsPromises(t *testing.T) {
	dir := t.TempDir()
	promised := map[ident.CID]int64{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
		cmd.Env = append(os.Environ(), crashEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; n < 5+10*round && lines.Scan(); n++ {
			read(t, lines.Text(), promised)
		}
		must(t, cmd.Process.Kill())
		for lines.Scan() { // what it said before it died
			read(t, lines.Text(), promised)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		checkPromises(t, dir, promised)
	}
	if len(promised) < 30 {
		t.Errorf("only %d receipts were given", len(promised))
	}
}

func read(t *testing.T, line string, promised map[ident.CID]int64) {
	t.Helper()
	var name string
	var until int64
	if n, _ := fmt.Sscanf(line, "kept %s %d", &name, &until); n != 2 {
		if strings.HasPrefix(line, "kept") {
			return // cut short by its death
		}
		t.Fatalf("the child says %q", line)
	}
	c, err := ident.ParseCID(name)
	must(t, err)
	promised[c] = until
}

func checkPromises(t *testing.T, dir string, promised map[ident.CID]int64) {
	t.Helper()
	b := newBenchAt(t, dir, 4)
	defer func() { must(t, b.volume.close()) }()
	must(t, b.parts().reconcile(t.Context()))
	b.clock.advance(ReceiptHold - time.Hour)
	w := &fakeWitnesses{vault: b.vault, says: b.say(ledger.SegmentUnknown, ledger.SegmentUnknown, ledger.SegmentUnknown, ledger.SegmentUnknown)}
	must(t, b.releaser(w).sweep(t.Context()))
	s := b.session()
	for c, until := range promised {
		for _, i := range []int{0, 2} {
			k := b.key(c)
			k.Index = i
			if r, known := b.record(k); !known || r.Until < until || r.Device != s.peer && !r.Device.IsZero() {
				t.Errorf("%v: in the book %+v, %v", k, r, known)
			}
			p, err := s.Get(t.Context(), shardrpc.Ref{Segment: c, Index: i})
			if err != nil {
				t.Errorf("%v: %v", k, err)
				continue
			}
			if _, err := p.WriteTo(io.Discard); err != nil {
				t.Errorf("%v: %v", k, err)
			}
			must(t, p.Close())
		}
	}
}
