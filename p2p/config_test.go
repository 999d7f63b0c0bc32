package p2p

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

func TestConfig(t *testing.T) {
	key := newKey(t)
	loop := []string{"/ip4/127.0.0.1/tcp/0"}
	node := func(edit func(*Config)) Config {
		c := Config{Key: key, Listen: loop, Network: testNetwork, Certificate: certify(t, key.Public(), nil)}
		edit(&c)
		return c
	}
	for _, c := range []struct {
		name string
		cfg  Config
		want error
	}{
		{"no key", Config{}, ErrConfig},
		{"public", Config{Key: key, Public: true}, ErrConfig},
		{"listen: garbage", Config{Key: key, Listen: []string{"nonsense"}}, ErrConfig},
		{"listen: QUIC", Config{Key: key, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1"}}, ErrConfig},
		{"announce: garbage", Config{Key: key, Announce: []string{"x"}}, ErrConfig},
		{"bootstrap without a name", Config{Key: key, Bootstrap: loop}, ErrConfig},
		{"bootstrap: garbage", Config{Key: key, Bootstrap: []string{"/p2p/x"}}, ErrConfig},
		{"network's name", Config{Key: key, Network: "No Spaces"}, ErrConfig},
		{"network's long name", Config{Key: key, Network: strings.Repeat("n", 65)}, ErrConfig},
		{"node without an address", node(func(c *Config) { c.Listen = nil }), ErrConfig},
		{"node without a network", node(func(c *Config) { c.Network = "" }), ErrConfig},
		{"node of another network", node(func(c *Config) { c.Network = "elsewhere" }), ErrNetwork},
		{"another node's certificate", node(func(c *Config) { c.Certificate = certify(t, newKey(t).Public(), nil) }), ErrCertificate},
		{"expired certificate", node(func(c *Config) { c.Certificate = certify(t, key.Public(), expired) }), ledger.ErrExpired},
	} {
		if h, err := New(t.Context(), c.cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			if err == nil {
				h.Close()
			}
		}
	}
}

// An address that is taken is an error, and nothing is left behind.
func TestAddressInUse(t *testing.T) {
	h := start(t)
	listen, _, _ := strings.Cut(h.Addrs()[0], "/p2p/")
	key := newKey(t)
	cfg := Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0", listen}, Network: testNetwork, Certificate: certify(t, key.Public(), nil)}
	other, err := New(t.Context(), cfg)
	if err == nil {
		other.Close()
		t.Fatal("two hosts on one address")
	}
	if !strings.Contains(err.Error(), listen) {
		t.Error(err)
	}
	cfg.Listen = cfg.Listen[1:]
	if other, err = New(t.Context(), cfg); err == nil {
		other.Close()
		t.Fatal("two hosts on one address")
	}
}

func TestAnnounce(t *testing.T) {
	h := start(t, func(c *Config, _ *timing) { c.Announce = []string{"/dns4/node.example/tcp/4001"} })
	if a := h.Addrs(); len(a) != 1 || !strings.HasPrefix(a[0], "/dns4/node.example/tcp/4001/p2p/12D3") {
		t.Errorf("addresses %v", a)
	}
}

// Two hosts of one process may report to one registry, and none is global.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	shared := func(c *Config, _ *timing) { c.Registerer = reg }
	nodes := cluster(t, 2, shared)
	meshed(t, nodes...)
	if m, err := reg.Gather(); err != nil || len(m) == 0 {
		t.Errorf("%d metrics, %v", len(m), err)
	}
}

func TestPeerNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := [ident.SeedSize]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		key := ident.NewPrivateKey(seed)
		p, err := peerOf(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if back, err := keyOf(p); err != nil || back != key.Public() {
			t.Fatalf("%v, %v", back, err)
		}
		id, err := identity(key)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := peer.IDFromPrivateKey(id); err != nil || q != p {
			t.Fatalf("%v, %v", q, err)
		}
	})
	if _, err := peerOf(ident.PublicKey{}); !errors.Is(err, ident.ErrKey) {
		t.Error("nobody has a name:", err)
	}
	for _, kind := range []int{crypto.ECDSA, crypto.Secp256k1} {
		_, pub, err := crypto.GenerateKeyPairWithReader(kind, 0, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p, err := peer.IDFromPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyOf(p); !errors.Is(err, ident.ErrKey) {
			t.Errorf("key of kind %d: %v", kind, err)
		}
	}
	for _, p := range []peer.ID{"", "x", "\x00\x00"} {
		if _, err := keyOf(p); !errors.Is(err, ident.ErrKey) {
			t.Errorf("name %q: %v", p, err)
		}
	}
}

func TestParseAddrs(t *testing.T) {
	self, err := peerOf(newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	other, _ := peerOf(newKey(t).Public())
	got := formatAddrs(parseAddrs(self, []string{
		"/ip4/10.0.0.1/tcp/4001", "/dns4/a.example/tcp/1/p2p/" + self.String(), "/ip6/::1/tcp/2",
		"/dns4/a.example/tcp/1/p2p/" + other.String(), "/ip4/1.2.3.4/udp/1/quic-v1", "/p2p/" + self.String(), "/tcp/1/ip4/1.1.1.1",
		"", "nonsense", "/ip4/1.2.3.4/tcp/1/ws", "/dns4/" + strings.Repeat("a", maxAddrLen) + "/tcp/1",
	}))
	want := []string{"/ip4/10.0.0.1/tcp/4001", "/dns4/a.example/tcp/1", "/ip6/::1/tcp/2"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", got, want)
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = "/ip4/10.0.0.1/tcp/1"
	}
	if n := len(formatAddrs(parseAddrs(self, many))); n != maxAddrs {
		t.Errorf("%d addresses of one node", n)
	}
}

func TestPreferTCP(t *testing.T) {
	var addrs []ma.Multiaddr
	for _, s := range []string{"/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/1"} {
		addrs = append(addrs, ma.StringCast(s))
	}
	ranked := preferTCP(addrs)
	if ranked[0].Delay == 0 || ranked[1].Delay != 0 {
		t.Errorf("delays %v", ranked)
	}
}

func TestLearn(t *testing.T) {
	h := build(t)
	if err := h.Learn(h.ID(), h.Addrs()); err != nil || len(h.nodes.keys()) != 0 {
		t.Errorf("a host learns of itself: %v", err)
	}
	if err := h.Learn(ident.PublicKey{}, nil); !errors.Is(err, ident.ErrKey) {
		t.Error("nobody:", err)
	}
	if err := h.Learn(newKey(t).Public(), []string{"nonsense"}); !errors.Is(err, ErrConfig) {
		t.Error("no usable address:", err)
	}
}
