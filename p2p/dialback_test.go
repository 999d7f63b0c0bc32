package p2p

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"holdfast/internal/wire"
)

// portOf returns the port that a host listens on.
func portOf(t testing.TB, h *Host) uint16 {
	t.Helper()
	a, err := ma.NewMultiaddr(h.claims()[0])
	if err != nil {
		t.Fatal(err)
	}
	ports, err := ListenPorts([]string{a.String()})
	if err != nil || len(ports) != 1 {
		t.Fatal(ports, err)
	}
	return ports[0]
}

// A peer tells which ports of this host it can reach, over connections of its own.
func TestDialBack(t *testing.T) {
	a := start(t)
	b := start(t, withBootstrap(a.Addrs()...))
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := uint16(silent.Addr().(*net.TCPAddr).Port)
	silent.Close()
	other := start(t)
	got, err := a.DialBack(t.Context(), b.ID(), []uint16{portOf(t, a), free, portOf(t, other)})
	if err != nil {
		t.Fatal(err)
	}
	if got.Observed != "127.0.0.1" || len(got.Ports) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []string{"", "nothing listens there", "this node does not answer there"} {
		if got.Ports[i].Failure != want {
			t.Errorf("port %d: %q, want %q", got.Ports[i].Port, got.Ports[i].Failure, want)
		}
	}
	for _, ports := range [][]uint16{nil, {1, 2, 3, 4, 5}} {
		if _, err := a.DialBack(t.Context(), b.ID(), ports); !errors.Is(err, ErrRefused) {
			t.Errorf("%d ports: %v", len(ports), err)
		}
	}
}

// Nobody is dialled for a stranger, and garbage gets no answer.
func TestDialBackForStrangers(t *testing.T) {
	h, r := start(t), newRogue(t)
	r.connect(t, h)
	ask := func(send func(network.Stream)) (a dialBackAnswer, err error) {
		s, err := r.NewStream(t.Context(), h.host.ID(), protocolID(testNetwork, dialBackProtocol))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Reset()
		s.SetDeadline(time.Now().Add(patience))
		send(s)
		s.CloseWrite()
		return a, readHello(s, &a)
	}
	a, err := ask(func(s network.Stream) { wire.Send(s, dialBackRequest{V: 1, Ports: []uint16{22}}) })
	if err != nil || !strings.Contains(a.Refused, "said hello") || len(a.Failures) > 0 {
		t.Errorf("a stranger gets %+v, %v", a, err)
	}
	for name, send := range map[string]func(network.Stream){
		"garbage":   func(s network.Stream) { s.Write([]byte("\x07garbage")) },
		"version 2": func(s network.Stream) { wire.Send(s, dialBackRequest{V: 2, Ports: []uint16{22}}) },
		"oversized": func(s network.Stream) { wire.Send(s, dialBackRequest{V: 1, Ports: make([]uint16, 2000)}) },
	} {
		if _, err := ask(send); err == nil {
			t.Errorf("%s has an answer", name)
		}
	}
}

// A host that is closing has no way to dial, and says so: a question may still be under way.
func TestDialBackWhileClosing(t *testing.T) {
	a := start(t)
	b := start(t, withBootstrap(a.Addrs()...))
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), portOf(t, a))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.dialFresh(t.Context(), a.host.ID(), at); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// What the other side says is checked for form.
func TestHostileDialBackAnswers(t *testing.T) {
	for name, a := range map[string]dialBackAnswer{
		"no address":       {V: 1, Failures: []string{""}},
		"too few outcomes": {V: 1, Observed: "192.0.2.1"},
		"too many":         {V: 1, Observed: "192.0.2.1", Failures: []string{"", ""}},
	} {
		if _, err := readDialBack(a, []uint16{4710}); !errors.Is(err, ErrHello) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readDialBack(dialBackAnswer{V: 1, Refused: "no"}, []uint16{4710}); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}
