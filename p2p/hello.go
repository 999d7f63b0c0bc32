package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// helloProtocol has no network in its name: it is how a client learns the name.
const helloProtocol = protocol.ID("/holdfast/hello/1")

// maxHello bounds a hello: a certificate and 16 addresses take less than half.
const maxHello = 16 << 10

const helloVersion = 1

// helloRequest is what whoever opens the stream says of himself. A client leaves
// out everything but the network, if it knows it, and its clock.
type helloRequest struct {
	V       uint64       `cbor:"v"`
	Network string       `cbor:"network,omitempty"`
	Cert    ident.Signed `cbor:"cert,omitzero"`
	Clock   int64        `cbor:"clock"` // milliseconds since 1970
	Space   int64        `cbor:"space,omitempty"`
	Addrs   []string     `cbor:"addrs,omitempty"`
	State   State        `cbor:"state,omitempty"`
	Until   int64        `cbor:"until,omitempty"` // milliseconds since 1970
}

// helloAnswer is the other side's. Refused tells why it does not accept the
// request's certificate or network; all else is said in any case.
type helloAnswer struct {
	V        uint64       `cbor:"v"`
	Network  string       `cbor:"network"`
	Cert     ident.Signed `cbor:"cert,omitzero"`
	Clock    int64        `cbor:"clock"`
	Space    int64        `cbor:"space,omitempty"`
	Addrs    []string     `cbor:"addrs,omitempty"`
	State    State        `cbor:"state,omitempty"`
	Until    int64        `cbor:"until,omitempty"`
	Observed string       `cbor:"observed,omitempty"` // the asker's address, as seen from here
	Refused  string       `cbor:"refused,omitempty"`
}

// sayHello exchanges hellos on an open connection and returns what the node says
// of itself, its certificate verified, and the connection's name. The network is
// the certificate's if this host knows none.
func (h *Host) sayHello(ctx context.Context, p peer.ID, key ident.PublicKey) (Node, string, error) {
	s, err := h.host.NewStream(network.WithNoDial(ctx, "hello"), p, helloProtocol)
	if err != nil {
		return Node{}, "", openFailure(ctx, err)
	}
	defer s.Reset() // a second ending has no effect
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	answer, err := h.exchange(&stream{s, key})
	if err != nil {
		return Node{}, "", err
	}
	s.Close()
	n, err := h.readAnswer(key, answer)
	return n, s.Conn().ID(), err
}

func (h *Host) exchange(s *stream) (helloAnswer, error) {
	var answer helloAnswer
	if err := s.SetDeadline(time.Now().Add(h.timing.hello)); err != nil {
		return answer, fmt.Errorf("%w (%v)", ErrUnreachable, err)
	}
	if err := wire.Send(s, h.request()); err != nil {
		return answer, failed(err)
	}
	if err := s.CloseWrite(); err != nil {
		return answer, failed(err)
	}
	if err := readHello(s, &answer); err != nil {
		return answer, failed(err)
	}
	return answer, nil
}

// readHello reads a request or an answer.
func readHello(r io.Reader, v any) error {
	p, err := wire.ReadFrame(bufio.NewReader(r), maxHello)
	if err != nil {
		return err
	}
	return wire.DecodeVersion(p, helloVersion, v)
}

// failed sorts what can go wrong in a hello: bytes that are none, or silence.
func failed(err error) error {
	switch {
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrTooLong), errors.Is(err, wire.ErrVersion):
		return fmt.Errorf("%w: %w", ErrHello, err)
	case errors.Is(err, ErrBusy), errors.Is(err, ErrUnreachable):
		return err
	}
	return fmt.Errorf("%w: no hello (%w)", ErrUnreachable, err)
}

func (h *Host) request() helloRequest {
	r := helloRequest{V: helloVersion, Network: h.Network(), Clock: h.Now().UnixMilli()}
	if h.isNode() {
		r.Cert, r.Space, r.Addrs = h.certificate(), h.space(), h.claims()
		r.State, r.Until = h.state()
	}
	return r
}

// readAnswer judges an answer that came over the channel of key.
func (h *Host) readAnswer(key ident.PublicKey, a helloAnswer) (Node, error) {
	cert, err := h.judge(a.Cert, key)
	if err != nil {
		return Node{}, err
	}
	if a.Network != cert.Network {
		return Node{}, fmt.Errorf("%w: answers for %.80q with a certificate for %q", ErrNetwork, a.Network, cert.Network)
	}
	if a.Refused != "" {
		return Node{}, fmt.Errorf("%w: %.200q", ErrRefused, a.Refused)
	}
	n := Node{Certificate: cert, Signed: a.Cert, Space: max(a.Space, 0)}
	n.State, n.Until = readState(a.State, a.Until, h.Now())
	return h.seen(key, n, a.Addrs, a.Clock), nil
}

// seen completes a node that has just spoken.
func (h *Host) seen(key ident.PublicKey, n Node, addrs []string, clock int64) Node {
	n.Seen = h.Now()
	n.Skew = time.UnixMilli(clock).Sub(n.Seen)
	if p, err := peerOf(key); err == nil {
		n.Addrs = formatAddrs(parseAddrs(p, addrs))
	}
	return n
}

// serveHello answers whoever asks, and admits him if he is a node of this network.
func (h *Host) serveHello(_ context.Context, st Stream) {
	s := st.(*stream)
	var r helloRequest
	malformed := readHello(s, &r)
	if malformed != nil && !errors.Is(malformed, wire.ErrVersion) {
		h.Log.Debug("malformed hello", "peer", s.remote.Short(), "error", malformed)
		s.ResetWithError(network.StreamProtocolViolation)
		return
	}
	a := helloAnswer{
		V: helloVersion, Network: h.Network(), Cert: h.certificate(), Clock: h.Now().UnixMilli(),
		Space: h.space(), Addrs: h.claims(), Observed: s.Conn().RemoteMultiaddr().String(),
	}
	a.State, a.Until = h.state()
	err := malformed
	if err == nil {
		err = h.receive(s, r)
	}
	if err != nil {
		a.Refused = err.Error()
		h.Log.Debug("hello refused", "peer", s.remote.Short(), "error", err)
	}
	if err := wire.Send(s, a); err != nil {
		h.Log.Debug("answer hello", "peer", s.remote.Short(), "error", err)
		s.Reset()
	}
}

// receive judges a request. A client, without a certificate, is welcome and known
// no further.
func (h *Host) receive(s *stream, r helloRequest) error {
	if r.Network != "" && r.Network != h.Network() {
		return fmt.Errorf("%w: this is %q", ErrNetwork, h.Network())
	}
	if r.Cert.IsZero() {
		return nil
	}
	cert, err := h.judge(r.Cert, s.remote)
	if err != nil {
		return err
	}
	n := Node{Certificate: cert, Signed: r.Cert, Space: max(r.Space, 0)}
	n.State, n.Until = readState(r.State, r.Until, h.Now())
	h.admit(s.Conn().RemotePeer(), h.seen(s.remote, n, r.Addrs, r.Clock), s.Conn().ID())
	return nil
}
