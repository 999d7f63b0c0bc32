package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	manet "github.com/multiformats/go-multiaddr/net"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// A node asks another one to dial it, because nobody can see from inside whether he
// can be reached from outside.
const (
	dialBackProtocol = "dialback/1"
	dialBackVersion  = 1
	maxDialBack      = 1 << 10

	// MaxPorts is how many ports one question may name.
	MaxPorts = 4

	dialBacksInAll   = 8
	dialBacksPerPeer = 1
)

type dialBackRequest struct {
	V     uint64   `cbor:"v"`
	Ports []uint16 `cbor:"ports"`
}

// dialBackAnswer holds one outcome for each port, in the order of the question.
// Refused is set instead where nothing was dialled.
type dialBackAnswer struct {
	V        uint64   `cbor:"v"`
	Observed string   `cbor:"observed,omitempty"`
	Failures []string `cbor:"failures,omitempty"` // "" for a port that was reached
	Refused  string   `cbor:"refused,omitempty"`
}

// DialBack is what another node has found out about the way to this one.
type DialBack struct {
	Observed string         // the IP address that this host is seen at
	Ports    []PortReported // in the order of the question
}

// PortReported is one port: reached if Failure is empty.
type PortReported struct {
	Port    uint16
	Failure string
}

// DialBack asks a node to open a new connection to each of these ports, at the address
// that it sees this host at. ErrRefused if it does not do that for this host.
func (h *Host) DialBack(ctx context.Context, node ident.PublicKey, ports []uint16) (DialBack, error) {
	p, err := peerOf(node)
	if err != nil {
		return DialBack{}, err
	}
	if _, err := h.greet(ctx, p, 0); err != nil { // it answers nobody who has not said hello
		return DialBack{}, err
	}
	st, err := h.Open(ctx, node, dialBackProtocol)
	if err != nil {
		return DialBack{}, err
	}
	s := st.(*stream)
	defer s.Reset()
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	var a dialBackAnswer
	if err := h.askDialBack(s, ports, &a); err != nil {
		return DialBack{}, fmt.Errorf("ask %s to dial back: %w", node.Short(), err)
	}
	s.Close()
	return readDialBack(a, ports)
}

func (h *Host) askDialBack(s *stream, ports []uint16, a *dialBackAnswer) error {
	if err := s.SetDeadline(time.Now().Add(h.timing.hello + h.timing.reach)); err != nil {
		return fmt.Errorf("%w (%v)", ErrUnreachable, err)
	}
	if err := wire.Send(s, dialBackRequest{V: dialBackVersion, Ports: ports}); err != nil {
		return failed(err)
	}
	if err := s.CloseWrite(); err != nil {
		return failed(err)
	}
	r := bufio.NewReader(s)
	frame, err := wire.ReadFrame(r, maxDialBack)
	if err == nil {
		err = wire.DecodeVersion(frame, dialBackVersion, a)
	}
	if err != nil {
		return failed(err)
	}
	// Only then may this node ask again.
	switch _, err := r.ReadByte(); {
	case err == nil:
		return fmt.Errorf("%w: bytes behind the answer", ErrHello)
	case err != io.EOF:
		return failed(err)
	}
	return nil
}

// readDialBack judges an answer. What it says is the other node's word.
func readDialBack(a dialBackAnswer, ports []uint16) (DialBack, error) {
	if a.Refused != "" {
		return DialBack{}, fmt.Errorf("%w: %.200q", ErrRefused, a.Refused)
	}
	ip, err := netip.ParseAddr(a.Observed)
	if err != nil || len(a.Failures) != len(ports) {
		return DialBack{}, fmt.Errorf("%w: %d outcomes for %d ports", ErrHello, len(a.Failures), len(ports))
	}
	out := DialBack{Observed: ip.String()}
	for i, port := range ports {
		out.Ports = append(out.Ports, PortReported{port, fmt.Sprintf("%.200s", a.Failures[i])})
	}
	return out, nil
}

// serveDialBack answers nodes that have said hello.
//
// SPEC: a node dials only the address that it sees the asker at, never one that the
// asker names, at most 4 ports of it, and one question of a node at a time.
func (h *Host) serveDialBack(ctx context.Context, st Stream) {
	s := st.(*stream)
	var q dialBackRequest
	frame, err := wire.ReadFrame(bufio.NewReader(s), maxDialBack)
	if err == nil {
		err = wire.DecodeVersion(frame, dialBackVersion, &q)
	}
	if err != nil {
		h.Log.Debug("malformed dial-back", "peer", s.remote.Short(), "error", err)
		s.Reset()
		return
	}
	a := h.dialBack(ctx, s, q)
	a.V = dialBackVersion
	if err := wire.Send(s, a); err != nil {
		h.Log.Debug("answer dial-back", "peer", s.remote.Short(), "error", err)
		s.Reset()
	}
}

func (h *Host) dialBack(ctx context.Context, s *stream, q dialBackRequest) dialBackAnswer {
	p := s.Conn().RemotePeer()
	ip, err := manet.ToIP(s.Conn().RemoteMultiaddr())
	addr, ok := netip.AddrFromSlice(ip)
	switch {
	case !h.admitted(p):
		return dialBackAnswer{Refused: "only for nodes that have said hello"}
	case len(q.Ports) == 0 || len(q.Ports) > MaxPorts:
		return dialBackAnswer{Refused: fmt.Sprintf("%d ports, not 1 to %d", len(q.Ports), MaxPorts)}
	case err != nil || !ok:
		return dialBackAnswer{Refused: "your address is not an IP address"}
	}
	a := dialBackAnswer{Observed: addr.Unmap().String(), Failures: make([]string, len(q.Ports))}
	for i, port := range q.Ports {
		a.Failures[i] = dialFailure(h.dialFresh(ctx, p, netip.AddrPortFrom(addr.Unmap(), port)))
	}
	return a
}

// dialFresh opens a connection of its own to p, whatever connections there are, proves
// that p is at the other end, and closes it.
func (h *Host) dialFresh(ctx context.Context, p peer.ID, at netip.AddrPort) error {
	addr, err := manet.FromNetAddr(net.TCPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	network, ok := h.host.Network().(*swarm.Swarm)
	if !ok {
		return ErrUnreachable
	}
	transport := network.TransportForDialing(addr)
	if transport == nil { // the host is closing
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, h.timing.reach/MaxPorts)
	defer cancel()
	c, err := transport.Dial(ctx, addr, p)
	if err != nil {
		return err
	}
	return c.Close()
}

// dialFailure is what the asker is told: no more than he needs, for the port may be
// somebody else's behind the same address.
func dialFailure(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	}
	return "this node does not answer there"
}
