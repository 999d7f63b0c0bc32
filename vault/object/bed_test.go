package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/seal"
	"holdfast/vault/index"
)

// unhurried is longer than a busy machine takes for anything here, and shorter than
// the deadlines of the protocol. Silence is tested where time passes at once.
const unhurried = 20 * time.Second

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

// bed is a vault's surroundings: holders in memory, keys, and an index.
type bed struct {
	t     testing.TB
	net   *shardrpctest.Network
	code  erasure.Code
	keys  seal.Keys
	owner seal.Identity
	lane  seal.Identity // the lane's index identity
	own   ident.PublicKey
	index *index.Index

	mu      sync.Mutex
	entries int
	faults  map[ident.PublicKey][]error
	lies    []index.Place
}

// newBed has n holders in use and some more as spares.
func newBed(t testing.TB, code erasure.Code, spares int) *bed {
	t.Helper()
	return newBedWith(t, code, spares, shardrpctest.Config{Capacity: 4 << 30})
}

func newBedWith(t testing.TB, code erasure.Code, spares int, c shardrpctest.Config) *bed {
	t.Helper()
	b := &bed{t: t, code: code, own: shardrpctest.Key("lane", 1).Public(), faults: map[ident.PublicKey][]error{}}
	b.net = shardrpctest.NewNetwork(t, code.N+spares, c)
	b.keys = seal.Keys{DedupData: [32]byte{1}, DedupTree: [32]byte{2}, Chunker: [32]byte{3}}
	var err error
	if b.owner, err = seal.NewIdentity([32]byte{4}); err != nil {
		t.Fatal(err)
	}
	if b.lane, err = seal.NewIdentity([32]byte{5}); err != nil {
		t.Fatal(err)
	}
	b.index = index.Mem(b.own)
	return b
}

func (b *bed) node(i int) *shardrpctest.Node { return b.net.Nodes[i] }

func (b *bed) key(i int) ident.PublicKey { return b.net.Nodes[i].Key.Public() }

func (b *bed) breakAll(f shardrpctest.Fault, nodes ...int) {
	for _, i := range nodes {
		b.node(i).Break(f)
	}
}

// straight places shard i on node i; nodes from n on are spares, each for one shard
// of a segment.
type straight struct {
	b    *bed
	used map[[2]int]bool // segment, node
}

func (p *straight) Place(segment int) ([]ident.PublicKey, error) {
	nodes := make([]ident.PublicKey, p.b.code.N)
	for i := range nodes {
		nodes[i] = p.b.key(i)
	}
	return nodes, nil
}

func (p *straight) Spare(segment, _ int, failed map[ident.PublicKey]bool) (ident.PublicKey, bool) {
	for i := p.b.code.N; i < len(p.b.net.Nodes); i++ {
		if k := [2]int{segment, i}; !p.used[k] && !failed[p.b.key(i)] {
			p.used[k] = true
			return p.b.key(i), true
		}
	}
	return ident.PublicKey{}, false
}

func (b *bed) writerConfig() WriterConfig {
	return WriterConfig{
		Code: b.code, Keys: b.keys, Recipient: b.owner.Recipient(), Index: b.lane.Recipient(),
		Nonce: shardrpc.Nonce{7}, Placer: &straight{b, map[[2]int]bool{}}, Holder: b.net.Holder,
		Known: func(kind seal.Kind, id seal.ChunkID) bool {
			_, ok := b.index.Own(kind, id, b.own)
			return ok
		},
		Counters: &Counters{},
		Patience: unhurried,
	}
}

func (b *bed) writer(change ...func(*WriterConfig)) *Writer {
	b.t.Helper()
	return b.writerIn(context.Background(), change...)
}

func (b *bed) writerIn(ctx context.Context, change ...func(*WriterConfig)) *Writer {
	b.t.Helper()
	c := b.writerConfig()
	for _, f := range change {
		f(&c)
	}
	w, err := NewWriter(ctx, c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(w.Abort)
	return w
}

// finish ends a commit and takes it into the index, as the vault does.
func (b *bed) finish(w *Writer) Commit {
	b.t.Helper()
	ctx := context.Background()
	n, err := w.Flush(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := w.Finish(ctx, []byte("a sealed snapshot"))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(c.Segments) != n+1 {
		b.t.Fatalf("%d segments, %d of data", len(c.Segments), n)
	}
	b.learn(c, b.own)
	return c
}

func (b *bed) learn(c Commit, lane ident.PublicKey) {
	b.t.Helper()
	b.entries++
	entry := ident.SumDagCBOR(fmt.Append(nil, "entry ", b.entries))
	var segments []index.Segment
	for i, s := range c.Segments {
		segments = append(segments, index.Segment{CID: s.CID, Lane: lane, Number: int64(i), Descriptor: s.Descriptor, Nodes: s.Nodes})
	}
	if err := b.index.AddSegments(entry, segments); err != nil {
		b.t.Fatal(err)
	}
	meta := c.Segments[len(c.Segments)-1].CID
	if err := b.index.AddCommit(entry, lane, meta, c.Index); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) locate(segment ident.CID) (Location, error) {
	s, ok, err := b.index.Segment(segment)
	if err != nil || !ok {
		return Location{}, fmt.Errorf("no segment %v: %w", segment, err)
	}
	d, err := erasure.ParseDescriptor(s.Descriptor)
	return Location{Descriptor: d, Nodes: s.Nodes}, err
}

// readerConfig has a client of its own: it has no open streams yet.
func (b *bed) readerConfig() ReaderConfig {
	client := b.net.NewClient(b.t, b.net.Device)
	return ReaderConfig{
		Keys: b.keys, Identities: []seal.Identity{b.owner},
		Places: b.index.Places, Locate: b.locate,
		Holder: func(node ident.PublicKey) shardrpc.Holder {
			return client.Holder(node, b.net.Vault, shardrpc.Credential{})
		},
		Counters: &Counters{},
		Hedge:    unhurried,
		Random:   func(n int) int { return n - 1 }, // a healthy read is not decoded
		Fault: func(node ident.PublicKey, _ shardrpc.Ref, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.faults[node] = append(b.faults[node], err)
		},
		FalsePlace: func(p index.Place, _ error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lies = append(b.lies, p)
		},
	}
}

func (b *bed) reader(change ...func(*ReaderConfig)) *Reader {
	b.t.Helper()
	c := b.readerConfig()
	for _, f := range change {
		f(&c)
	}
	r := NewReader(c)
	b.t.Cleanup(r.Close)
	return r
}

func (b *bed) faultsOf(i int) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.faults[b.key(i)])
}

// store puts data as one file.
func (b *bed) store(w *Writer, data []byte) Content {
	b.t.Helper()
	c, err := w.File(context.Background(), bytes.NewReader(data))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// load reads a file back.
func load(r *Reader, c Content) ([]byte, error) {
	var out []byte
	next := 0
	err := r.Chunks(context.Background(), c.Rows, func(i int, plain []byte) error {
		if i != next {
			return fmt.Errorf("chunk %d after %d", i, next-1)
		}
		next++
		out = append(out, plain...)
		return nil
	})
	return out, err
}

func (b *bed) mustLoad(r *Reader, c Content, want []byte) {
	b.t.Helper()
	got, err := load(r, c)
	if err != nil {
		b.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		b.t.Fatalf("%d bytes came back, not the %d that went in", len(got), len(want))
	}
}

// noise makes incompressible bytes; equal seeds give equal bytes.
func noise(n int, seed uint64) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 9})
	_, _ = r.Read(p)
	return p
}

// prose makes bytes that compress.
func prose(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	words := bytes.Fields([]byte("the quick brown fox jumps over a lazy dog while seven wizards mix some potions for their queen"))
	p := make([]byte, 0, n+16)
	for len(p) < n {
		p = append(append(p, words[r.IntN(len(words))]...), ' ')
	}
	return p[:n]
}

func wantErr(t testing.TB, err error, wants ...error) {
	t.Helper()
	for _, want := range wants {
		if !errors.Is(err, want) {
			t.Fatalf("error %v, not %v", err, want)
		}
	}
}
