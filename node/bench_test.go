package node

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

// manual is a clock that a test sets.
type manual struct {
	mu sync.Mutex
	t  time.Time
}

func (c *manual) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *manual) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a member's node without a network: its volume, its shelf, its ledgers.
type bench struct {
	t        testing.TB
	vault    *ledgertest.Vault
	me       ledgertest.Member
	mute     map[ident.PublicKey]bool // nodes of members that have lost their ledgers
	clock    *manual
	node     *Node
	shelf    *shelf
	ledgers  *ledgers
	volume   *volume
	news     int // vaults that were accepted
	releases int // that were certified or taken back
	behind   int // times that it was shown what it cannot follow
}

const benchCapacity = 256 << 20

// newBench makes the node of the first member of a vault.
func newBench(t testing.TB, members int) *bench {
	t.Helper()
	return newBenchAt(t, t.TempDir(), members)
}

// newBenchAt is newBench in a folder that may hold its volume already.
func newBenchAt(t testing.TB, dir string, members int) *bench {
	t.Helper()
	return newBenchOf(t, dir, ledgertest.NewVault("bench", members), 0)
}

// newBenchOf makes the node of one of a vault's members.
func newBenchOf(t testing.TB, dir string, v *ledgertest.Vault, member int) *bench {
	t.Helper()
	b := &bench{t: t, vault: v, me: v.Members[member], clock: &manual{t: ledgertest.Start()}}
	b.node = &Node{
		dir: dir, config: Config{Capacity: benchCapacity}, now: b.clock.now, log: slog.New(slog.DiscardHandler),
		keys: keyring{node: b.me.Node, vote: b.me.Vote, cert: verified(t, b.me.Certificate), signed: b.me.Certificate},
	}
	b.node.registry = prometheus.NewRegistry()
	b.node.meters = newMeters(b.node.registry)
	b.node.volumes = newVolumeList(dir, b.node.config)
	b.node.throttle = newThrottle(nil, b.clock.now)
	b.node.clock = mustWatch(t, dir, b.clock.now)
	b.node.spoiled = (&spoiled{node: b.node.keys.cert.Node, lost: func() {}}).start()
	if _, err := os.Lstat(b.dir()); err != nil {
		b.format()
	}
	var err error
	b.volume, err = newVolume(t.Context(), b.node.log, b.node.openParts)
	if err != nil {
		t.Fatal(err)
	}
	b.node.volume, b.node.spoiled.volume = b.volume, b.volume
	t.Cleanup(func() {
		if err := b.volume.close(); err != nil {
			t.Error(err)
		}
	})
	at := stamp{b.clock.now, b.node.meters}
	nobody := func(context.Context, ident.PublicKey) ident.PublicKey { return ident.PublicKey{} }
	b.shelf = &shelf{
		keys: b.node.keys, volume: b.volume, throttle: b.node.throttle, stamp: at,
		certifier: &certifier{witnesses: &fakeWitnesses{vault: v}, log: b.node.log},
		operator:  nobody,
	}
	b.ledgers = &ledgers{
		volume: b.volume, accepted: func() { b.news++ }, released: func(ident.CID) { b.releases++ }, behind: func() { b.behind++ }, stamp: at, log: b.node.log,
		operator: nobody,
	}
	return b
}

// mustWatch makes a clock's watch that sees no other node.
func mustWatch(t testing.TB, dir string, now clock) *clockWatch {
	t.Helper()
	w, err := newClockWatch(dir, now, func() (int, time.Duration) { return 0, 0 })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func verified(t testing.TB, s ident.Signed) ledger.NodeCertificate {
	t.Helper()
	c, err := ledger.VerifyNodeCertificate(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) dir() string { return filepath.Join(b.node.dir, volumeName) }

// format makes an empty volume.
func (b *bench) format() {
	b.t.Helper()
	m := disk.Marker{Volume: disk.VolumeID{1}, Node: b.me.Node.Public(), Vote: b.me.Vote.Public(), Created: 1}
	if err := disk.Create(b.dir(), m); err != nil {
		b.t.Fatal(err)
	}
}

// device is a machine with full rights in the vault.
func (b *bench) device(name string, rights ledger.Rights) (ident.PrivateKey, shardrpc.Credential) {
	key := ledgertest.Key(name)
	return key, shardrpc.Credential{Charter: b.vault.Signed, Grant: b.vault.Grant(key, rights)}
}

func (b *bench) open(peer ident.PublicKey, c shardrpc.Credential) (*session, error) {
	s, err := b.shelf.Open(b.t.Context(), peer, b.vault.ID(), c)
	if err != nil {
		return nil, err
	}
	return s.(*session), nil
}

// session is the one of a device with full rights.
func (b *bench) session() *session {
	b.t.Helper()
	key, c := b.device("device", ledger.Full)
	s, err := b.open(key.Public(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// parts gives a test what is behind the volume, while it is there.
func (b *bench) parts() *parts {
	b.t.Helper()
	b.volume.mu.Lock()
	defer b.volume.mu.Unlock()
	if b.volume.parts == nil {
		b.t.Fatal("the volume is paused")
	}
	return b.volume.parts
}

var nonce = shardrpc.Nonce{7}

func segment(t testing.TB, size int, seed uint64) storetest.Segment {
	t.Helper()
	return storetest.NewSegment(t, erasure.Code{K: 2, N: 4}, size, seed)
}

func ref(s storetest.Segment, i int) shardrpc.Ref { return shardrpc.Ref{Segment: s.CID, Index: i} }

func put(ctx context.Context, s shardrpc.Session, n shardrpc.Nonce, g storetest.Segment, i int) error {
	return s.Put(ctx, n, i, g.Descriptor, bytes.NewReader(g.Rows[i]))
}

func (b *bench) mustPut(s shardrpc.Session, g storetest.Segment, i int) store.Key {
	b.t.Helper()
	if err := put(b.t.Context(), s, nonce, g, i); err != nil {
		b.t.Fatal(err)
	}
	return g.Key(b.vault.ID(), i)
}

// has reports whether a shard is on the shelf.
func (b *bench) has(k store.Key) bool {
	b.t.Helper()
	_, err := b.parts().shelf.Stat(b.t.Context(), k)
	if err != nil && !isAbsent(err) {
		b.t.Fatal(err)
	}
	return err == nil
}

// record returns what the book has of a shard.
func (b *bench) record(k store.Key) (record, bool) {
	b.t.Helper()
	r, known, err := b.parts().book.get(k)
	if err != nil {
		b.t.Fatal(err)
	}
	return r, known
}

// wipe empties the volume under the node.
func (b *bench) wipe() {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(b.dir(), e.Name())); err != nil {
			b.t.Fatal(err)
		}
	}
}

// wantEmpty checks that nothing was made on a volume that is gone.
func (b *bench) wantEmpty() {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		b.t.Errorf("%s was made on a volume that is gone", e.Name())
	}
}

func readAll(s *session, g storetest.Segment, i int) ([]byte, error) {
	p, err := s.Get(context.Background(), ref(g, i))
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var out bytes.Buffer
	_, err = p.WriteTo(&out)
	return out.Bytes(), err
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not in time", what)
		}
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func newReader(p []byte) *bytes.Reader { return bytes.NewReader(p) }

// encode returns a structure's bytes.
func encode(t testing.TB, v any) []byte {
	t.Helper()
	p, err := wire.Encode(v)
	must(t, err)
	return p
}
