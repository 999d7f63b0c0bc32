package vault

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/vault/index"
)

// largeHistory is what a machine knows of a vault of so many entries in ten lanes, which
// introduce ten segments each, with shards at eight nodes.
func largeHistory(v *ledgertest.Vault, entries int) *history {
	h := newHistory("")
	nodes := make([]ident.PublicKey, 8)
	for i := range nodes {
		nodes[i] = ledgertest.Key("large node " + string(rune('a'+i))).Public()
		h.holders.know(index.Holder{Node: nodes[i], Operator: nodes[i], Zone: string(rune('a' + i/2)), Serial: 1})
	}
	hash := func(kind byte, n int) ident.CID {
		return ident.SumDagCBOR(binary.LittleEndian.AppendUint64([]byte{kind}, uint64(n)))
	}
	descriptor := largeDescriptor()
	for lane := range 10 {
		key := ledgertest.Key("large lane " + string(rune('a'+lane))).Public()
		prev := ident.CID{}
		for i := range entries / 10 {
			n := lane*entries/10 + i
			l := Link{CID: hash(1, n), Time: ledgertest.Start(), Entry: ledger.Entry{
				V: 1, Vault: v.ID(), Charter: v.Charter.CID(), Lane: key, Height: int64(i) + 1, Prev: prev, Kind: ledger.KindSnapshot, Body: hash(2, n),
			}}
			segs := make([]index.Segment, 10)
			for j := range segs {
				segs[j] = index.Segment{CID: hash(3, n*10+j), Lane: key, Entry: l.CID, Number: int64(i*10 + j), Descriptor: descriptor, Nodes: nodes, Meta: j == 9}
			}
			h.add(l)
			h.introduce(l.CID, segs)
			prev = l.CID
		}
	}
	return h
}

// largeDescriptor has the code and the size of every segment of a large vault.
func largeDescriptor() []byte {
	d := erasure.Descriptor{V: 1, K: 4, N: 8, Size: 32 << 20}
	for i := range d.N {
		d.Shards = append(d.Shards, ident.SumRaw([]byte{byte(i)}))
	}
	return d.Encode()
}

const largeDir = "HOLDFAST_TEST_LARGE_DIR"

// largeMachine is a machine that knows a large vault, with its home in a folder.
func largeMachine(t testing.TB, dir string) *cachedLane {
	v, key := ledgertest.NewVault("large", 8), ledgertest.Key("device")
	return &cachedLane{
		t: t, vault: v, lane: v.Lane(key), home: Home{Dir: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache")},
		profile: Profile{Name: "shop", Vault: v.ID(), Charter: v.Signed, Grant: v.Grant(key, ledger.Full), Device: key},
	}
}

// knownBefore writes what a machine has verified of 100,000 entries to its cache.
func (c *cachedLane) knownBefore() {
	s := c.open()
	s.history = largeHistory(c.vault, 100_000)
	s.history.dir = c.home.cacheDir(c.vault.ID())
	c.close(s)
}

// TestLargeChild is a process that opens a large vault and does nothing else, or says its
// status, too.
func TestLargeChild(t *testing.T) {
	dir := os.Getenv(largeDir)
	if dir == "" {
		t.Skip("runs in benchmarks only")
	}
	c := largeMachine(t, dir)
	laps := laps{begun: time.Now()}
	s := c.open()
	laps.lap()
	if n := len(s.history.introduced.entries); n != 100_000 {
		t.Fatalf("%d entries are known", n)
	}
	if os.Getenv(largeStatus) != "" {
		largeVerdict(t, s, &laps)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	peak, _, _ = strings.Cut(peak, "kB")
	fmt.Printf("took %s %s\n", strings.TrimSpace(peak), laps.took)
	s.history.unwritten = 0
	c.close(s)
}

// laps are how long parts took, in microseconds, one after another.
type laps struct {
	begun time.Time
	took  string
}

func (l *laps) lap() {
	l.took += fmt.Sprint(time.Since(l.begun).Microseconds(), " ")
	l.begun = time.Now()
}

// inChild runs TestLargeChild and reports its peak of memory, and so many parts by their
// names.
func (c *cachedLane) inChild(b *testing.B, dir string, parts []string, env ...string) {
	child := exec.Command(os.Args[0], "-test.run=^TestLargeChild$", "-test.count=1")
	child.Env = append(append(os.Environ(), largeDir+"="+dir), env...)
	out, err := child.CombinedOutput()
	_, said, _ := strings.Cut(string(out), "took ")
	words := strings.Fields(said)
	if err != nil || len(words) < len(parts)+1 {
		b.Fatalf("%v: %s", err, out)
	}
	for i, unit := range append([]string{"MB-peak"}, parts...) {
		n, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(n/1000, unit)
	}
}

// BenchmarkOpenLarge opens a vault of 100,000 entries and 1,000,000 segments that this
// machine has verified before, in a process of its own: how long, and with how much
// memory at the most.
func BenchmarkOpenLarge(b *testing.B) {
	dir := b.TempDir()
	c := largeMachine(b, dir)
	c.knownBefore()
	for b.Loop() {
		c.inChild(b, dir, []string{"ms-open"})
	}
}
