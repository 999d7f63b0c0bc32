package p2p

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	libp2p "github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// rogue is a libp2p host that follows no rule but the test's.
type rogue struct {
	host.Host
	key, operator ident.PrivateKey
}

// certify makes a certificate by the rogue's operator.
func (r *rogue) certify(t testing.TB, edit func(*ledger.NodeCertificate)) ident.Signed {
	t.Helper()
	return certifyBy(t, r.operator, r.key.Public(), edit)
}

func newRogue(t testing.TB) *rogue {
	t.Helper()
	key := newKey(t)
	id, err := identity(key)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(
		libp2p.Identity(id),
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableRelay(), libp2p.ForceReachabilityPublic(), libp2p.DisableMetrics(), libp2p.DisableIdentifyAddressDiscovery(),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return &rogue{h, key, newKey(t)}
}

func (r *rogue) addr() string { return r.Addrs()[0].String() + "/p2p/" + r.ID().String() }

// answer makes r answer hellos as f fills them in.
func (r *rogue) answer(t testing.TB, f func(*helloAnswer)) {
	a := helloAnswer{V: 1, Network: testNetwork, Cert: r.certify(t, nil), Clock: time.Now().UnixMilli(), Addrs: formatAddrs(r.Addrs())}
	f(&a)
	r.reply(func(s network.Stream) {
		wire.Send(s, a)
		s.Close()
	})
}

// reply makes r do anything with a hello, once it has been read.
func (r *rogue) reply(f func(network.Stream)) {
	r.SetStreamHandler(helloProtocol, func(s network.Stream) {
		io.Copy(io.Discard, s)
		f(s)
	})
}

// serveDHT makes r take part in the network's DHT, with its own idea of what is valid.
func (r *rogue) serveDHT(t testing.TB, v record.Validator) *dht.IpfsDHT {
	t.Helper()
	d, err := dht.New(r.Host, dht.ProtocolPrefix("/holdfast/"+testNetwork), dht.Mode(dht.ModeServer),
		dht.Validator(record.NamespacedValidator{nodeSpace: v, vaultSpace: v}), dht.DisableAutoRefresh())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func (r *rogue) connect(t testing.TB, h *Host) {
	t.Helper()
	info, err := peer.AddrInfoFromString(h.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Connect(t.Context(), *info); err != nil {
		t.Fatal(err)
	}
}

// say sends a hello of any form to h and returns the answer.
func (r *rogue) say(t testing.TB, h *Host, send func(network.Stream)) (helloAnswer, error) {
	t.Helper()
	r.connect(t, h)
	s, err := r.NewStream(t.Context(), h.host.ID(), helloProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	s.SetDeadline(time.Now().Add(patience))
	send(s)
	var a helloAnswer
	return a, readHello(s, &a)
}

func sendHello(q helloRequest) func(network.Stream) {
	return func(s network.Stream) {
		wire.Send(s, q)
		s.CloseWrite()
	}
}

func otherNetwork(c *ledger.NodeCertificate) { c.Network = "elsewhere" }
func expired(c *ledger.NodeCertificate)      { c.Expires = time.Now().Add(-time.Minute).UnixMilli() }

// Nodes that answer hellos wrongly are not let in, and the error says why.
func TestHostileAnswers(t *testing.T) {
	frame := func(p []byte) func(network.Stream) {
		return func(s network.Stream) { s.Write(p); s.Close() }
	}
	for _, c := range []struct {
		name string
		do   func(r *rogue)
		want error
	}{
		{"garbage", func(r *rogue) { r.reply(frame([]byte("\x07garbage"))) }, ErrHello},
		{"oversized", func(r *rogue) { r.reply(frame(binary.AppendUvarint(nil, 1<<30))) }, wire.ErrTooLong},
		{"cut short", func(r *rogue) { r.reply(frame([]byte("\x50half"))) }, ErrUnreachable},
		{"silence", func(r *rogue) { r.reply(func(s network.Stream) { s.Read(make([]byte, 1)) }) }, ErrUnreachable},
		{"reset", func(r *rogue) { r.reply(func(s network.Stream) { s.Reset() }) }, ErrUnreachable},
		{"no hello at all", func(r *rogue) {}, ErrNotFound},
		{"no certificate", func(r *rogue) { r.answer(t, func(a *helloAnswer) { a.Cert = ident.Signed{} }) }, ErrCertificate},
		{"another network", func(r *rogue) {
			r.answer(t, func(a *helloAnswer) { a.Cert, a.Network = r.certify(t, otherNetwork), "elsewhere" })
		}, ErrNetwork},
		{"another network than its certificate's", func(r *rogue) { r.answer(t, func(a *helloAnswer) { a.Network = "elsewhere" }) }, ErrNetwork},
		{"expired", func(r *rogue) { r.answer(t, func(a *helloAnswer) { a.Cert = r.certify(t, expired) }) }, ledger.ErrExpired},
		{"another node's certificate", func(r *rogue) {
			r.answer(t, func(a *helloAnswer) { a.Cert = certify(t, newKey(t).Public(), nil) })
		}, ErrCertificate},
		{"forged", func(r *rogue) { r.answer(t, func(a *helloAnswer) { a.Cert.Signature[7] ^= 1 }) }, ErrCertificate},
		{"version 2", func(r *rogue) { r.answer(t, func(a *helloAnswer) { a.V = 2 }) }, wire.ErrVersion},
		{"refusal", func(r *rogue) { r.answer(t, func(a *helloAnswer) { a.Refused = "go away" }) }, ErrRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, r := start(t, impatient()), newRogue(t)
			c.do(r)
			if err := h.Learn(r.key.Public(), []string{r.addr()}); err != nil {
				t.Fatal(err)
			}
			_, err := h.greet(t.Context(), r.ID(), 0)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if found, err := h.Nodes(t.Context()); err != nil || len(found) != 0 || tableSize(h) != 0 {
				t.Errorf("%d nodes found, %d in the table, %v", len(found), tableSize(h), err)
			}
		})
	}
}

// A client that knows no network believes none that answers wrongly either.
func TestClientLearnsNothingFromAForger(t *testing.T) {
	r := newRogue(t)
	r.answer(t, func(a *helloAnswer) { a.Cert.Signature[7] ^= 1 })
	c := build(t, asClient(), withBootstrap(r.addr()))
	if err := c.Start(t.Context()); !errors.Is(err, ErrCertificate) || c.Network() != "" {
		t.Errorf("network %q, %v", c.Network(), err)
	}
}

// Peers that say hello wrongly are told why, or cut off, and are not let in.
func TestHostileRequests(t *testing.T) {
	h := start(t)
	good := func(r *rogue) helloRequest {
		return helloRequest{V: 1, Network: testNetwork, Cert: r.certify(t, nil), Clock: time.Now().UnixMilli(), Addrs: formatAddrs(r.Addrs())}
	}
	for _, c := range []struct {
		name    string
		edit    func(*rogue, *helloRequest)
		refused bool
	}{
		{"right", func(*rogue, *helloRequest) {}, false},
		{"client", func(_ *rogue, q *helloRequest) { q.Cert = ident.Signed{} }, false},
		{"client that knows no network", func(_ *rogue, q *helloRequest) { q.Cert, q.Network = ident.Signed{}, "" }, false},
		{"another network", func(_ *rogue, q *helloRequest) { q.Network = "elsewhere" }, true},
		{"another network's certificate", func(r *rogue, q *helloRequest) { q.Cert = r.certify(t, otherNetwork) }, true},
		{"expired", func(r *rogue, q *helloRequest) { q.Cert = r.certify(t, expired) }, true},
		{"another node's certificate", func(_ *rogue, q *helloRequest) { q.Cert = certify(t, newKey(t).Public(), nil) }, true},
		{"forged", func(_ *rogue, q *helloRequest) { q.Cert.Signature[3] ^= 1 }, true},
		{"version 2", func(_ *rogue, q *helloRequest) { q.V = 2 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRogue(t)
			q := good(r)
			c.edit(r, &q)
			a, err := r.say(t, h, sendHello(q))
			if err != nil {
				t.Fatal(err)
			}
			if (a.Refused != "") != c.refused {
				t.Errorf("refused: %q", a.Refused)
			}
			if a.Network != testNetwork || a.Cert.IsZero() || a.Observed == "" {
				t.Errorf("answer %+v", a)
			}
			if in := h.admitted(r.ID()); in != (c.name == "right") {
				t.Errorf("admitted: %v", in)
			}
		})
	}
	for name, p := range map[string][]byte{"garbage": []byte("\x07garbage"), "oversized": binary.AppendUvarint(nil, 1<<30), "nothing": nil} {
		r := newRogue(t)
		if _, err := r.say(t, h, func(s network.Stream) { s.Write(p); s.CloseWrite() }); err == nil {
			t.Errorf("%s is answered", name)
		}
	}
}

// Whoever opens hellos and says nothing is cut off at the deadline, and at the
// limit before it; others are served meanwhile.
func TestSilentRequests(t *testing.T) {
	h := start(t, impatient())
	r := newRogue(t)
	r.connect(t, h)
	open := func() network.Stream {
		s, err := r.NewStream(t.Context(), h.host.ID(), helloProtocol)
		if err != nil {
			t.Fatal(err)
		}
		s.SetDeadline(time.Now().Add(patience))
		s.Write([]byte{0x50}) // negotiation is lazy: this opens it
		return s
	}
	busy := 0
	var streams []network.Stream
	for range hellosPerPeer + 2 {
		streams = append(streams, open())
	}
	start(t, withBootstrap(h.Addrs()...))
	until(t, "another's hello", func() bool { return tableSize(h) == 1 })
	for _, s := range streams {
		_, err := s.Read(make([]byte, 1))
		if err = (&stream{s, r.key.Public()}).failure("read", err); errors.Is(err, ErrBusy) {
			busy++
		} else if !errors.Is(err, ErrReset) {
			t.Errorf("silence ends with %v", err)
		}
		s.Reset()
	}
	if busy != 2 {
		t.Errorf("%d of %d streams were turned away, want 2", busy, len(streams))
	}
	until(t, "end of the silence", func() bool {
		a, err := r.say(t, h, sendHello(helloRequest{V: 1}))
		return err == nil && a.Refused == ""
	})
}

// An uncertified peer that speaks the DHT's protocol is never asked anything, never
// enters a table, and cannot store anything.
func TestStrangerStaysOutOfTheDHT(t *testing.T) {
	nodes := cluster(t, 3)
	meshed(t, nodes...)
	r := newRogue(t)
	asked := make(chan struct{}, 1)
	d := r.serveDHT(t, anything{})
	r.SetStreamHandler(protocol.ID("/holdfast/"+testNetwork+"/kad/1.0.0"), func(s network.Stream) {
		select {
		case asked <- struct{}{}:
		default:
		}
		s.Reset()
	})
	for _, h := range nodes {
		r.connect(t, h)
	}
	until(t, "its own table", func() bool { return d.RoutingTable().Size() == 3 })
	ctx := short(t, 2*time.Second)
	d.PutValue(ctx, nodeKey(nodes[0].ID()), []byte("nonsense"))
	c, _ := foreign(rendezvous(testNetwork))
	d.Provide(ctx, c, true)
	for _, h := range nodes {
		found, err := h.Nodes(t.Context())
		if err != nil || len(found) != 2 {
			t.Errorf("%d nodes found, %v", len(found), err)
		}
		if h.table().RoutingTable().Find(r.ID()) != "" {
			t.Error("the stranger is in a routing table")
		}
		provs, err := h.table().ProviderStore().GetProviders(ctx, c.Hash())
		if err != nil {
			t.Error(err)
		}
		for _, p := range provs {
			if p.ID == r.ID() {
				t.Error("the stranger is a provider")
			}
		}
	}
	select {
	case <-asked:
		t.Error("the stranger was asked")
	default:
	}
}

// anything is a validator without principles.
type anything struct{}

func (anything) Validate(string, []byte) error        { return nil }
func (anything) Select(string, [][]byte) (int, error) { return 0, nil }

// nothing is a validator that refuses everything.
type nothing struct{}

func (nothing) Validate(string, []byte) error        { return errors.New("no") }
func (nothing) Select(string, [][]byte) (int, error) { return 0, errors.New("no") }

// The trap of a filter that is asked once, when a peer appears: here the peer
// appears, is refused, gets its certificate later, and must then come in.
func TestCertificateThatComesLater(t *testing.T) {
	h := start(t)
	r := newRogue(t)
	r.answer(t, func(a *helloAnswer) { a.Cert = ident.Signed{} })
	r.serveDHT(t, anything{})
	r.connect(t, h)
	until(t, "refusal", func() bool { _, err := h.greet(t.Context(), r.ID(), 0); return errors.Is(err, ErrCertificate) })
	if tableSize(h) != 0 {
		t.Fatal("in the table without a certificate")
	}
	q := helloRequest{V: 1, Network: testNetwork, Cert: r.certify(t, nil), Clock: time.Now().UnixMilli()}
	a, err := r.say(t, h, sendHello(q))
	if err != nil || a.Refused != "" {
		t.Fatal(err, a.Refused)
	}
	until(t, "a place in the table", func() bool { return tableSize(h) == 1 })
}
