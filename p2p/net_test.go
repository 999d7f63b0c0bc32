package p2p

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

const testNetwork = "test-p2p"

// patience is how long a test waits for what must happen.
const patience = time.Minute

// quick makes a host try again soon. It stays patient with nodes that are slow, as
// they are on a busy machine.
func quick() timing {
	t := defaultTiming()
	t.hello = patience
	t.reach = patience
	t.table = 500 * time.Millisecond
	t.lookup = patience
	t.survey = patience
	t.retryMin = 20 * time.Millisecond
	t.retryMax = 200 * time.Millisecond
	t.quiet = 20 * time.Millisecond
	t.sweep = 20 * time.Millisecond
	t.recent = 200 * time.Millisecond
	return t
}

// impatient makes a host give up soon, for tests of silence.
func impatient() option {
	return withTiming(func(t *timing) {
		t.hello = 300 * time.Millisecond
		t.reach = 500 * time.Millisecond
		t.again = 100 * time.Millisecond
	})
}

func newKey(t testing.TB) ident.PrivateKey {
	t.Helper()
	k, err := ident.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// option changes the Config or the timing of a host under test.
type option func(*Config, *timing)

func withKey(k ident.PrivateKey) option {
	return func(c *Config, _ *timing) { c.Key = k }
}

func withCertificate(s ident.Signed) option {
	return func(c *Config, _ *timing) { c.Certificate = s }
}

func withListen(addrs ...string) option {
	return func(c *Config, _ *timing) { c.Listen = addrs }
}

func withBootstrap(addrs ...string) option {
	return func(c *Config, _ *timing) { c.Bootstrap = append(c.Bootstrap, addrs...) }
}

func withClock(now func() time.Time) option {
	return func(c *Config, _ *timing) { c.Now = now }
}

func withTiming(edit func(*timing)) option {
	return func(_ *Config, t *timing) { edit(t) }
}

func withNetwork(name string) option {
	return func(c *Config, _ *timing) { c.Network = name }
}

func asClient() option {
	return func(c *Config, _ *timing) { c.Certificate, c.Listen, c.Network = ident.Signed{}, nil, "" }
}

// build makes a host, a node unless told otherwise, that is closed with the test.
func build(t testing.TB, opts ...option) *Host {
	t.Helper()
	cfg := Config{
		Key: newKey(t), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Network: testNetwork,
		Space: func() int64 { return 1 << 30 },
		Log:   slog.New(slog.DiscardHandler),
	}
	if os.Getenv("HOLDFAST_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	timing := quick()
	cfg.Certificate = ident.Signed{Object: []byte{}}
	for _, o := range opts {
		o(&cfg, &timing)
	}
	if cfg.Certificate.Object != nil && len(cfg.Certificate.Object) == 0 {
		cfg.Certificate = certify(t, cfg.Key.Public(), nil)
	}
	h, err := newHost(t.Context(), cfg, timing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return h
}

func start(t testing.TB, opts ...option) *Host {
	t.Helper()
	h := build(t, opts...)
	if err := h.Start(t.Context()); err != nil {
		t.Fatal("start:", err)
	}
	return h
}

// cluster starts n nodes; all but the first have the first as bootstrap node.
func cluster(t testing.TB, n int, opts ...option) []*Host {
	t.Helper()
	out := []*Host{start(t, opts...)}
	for len(out) < n {
		out = append(out, start(t, append(opts[:len(opts):len(opts)], withBootstrap(out[0].Addrs()...))...))
	}
	return out
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func tableSize(h *Host) int {
	if d := h.table(); d != nil {
		return d.RoutingTable().Size()
	}
	return 0
}

// meshed waits until every host knows all others.
func meshed(t testing.TB, hosts ...*Host) {
	t.Helper()
	for _, h := range hosts {
		until(t, "full routing table", func() bool { return tableSize(h) >= len(hosts)-1 })
	}
}

// names returns the keys of nodes.
func names(nodes []Node) map[ident.PublicKey]bool {
	out := make(map[ident.PublicKey]bool)
	for _, n := range nodes {
		out[n.Certificate.Node] = true
	}
	return out
}

// clock is a time that a test sets.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(by time.Duration) { c.offset.Add(int64(by)) }

func short(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
