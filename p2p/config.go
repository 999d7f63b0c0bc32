package p2p

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Config says who a host is and where it begins to look for others.
type Config struct {
	Key         ident.PrivateKey          // node key or device key: who the host is on every channel
	Listen      []string                  // multiaddrs, the only ones that are opened; none for a program that only dials
	Announce    []string                  // multiaddrs told to others instead of those listened on; optional
	Network     string                    // a client may leave it empty: it is then learned from the first bootstrap node that answers
	Bootstrap   []string                  // multiaddrs with /p2p/; none for a network's first node
	Certificate ident.Signed              // node certificate for Key; nodes only, and what makes a host a node
	Space       func() int64              // free bytes, told to others; nodes only, optional
	State       func() (State, time.Time) // what this node announces, and until when; nodes only, optional
	Public      bool                      // must be false in this version: see the package's documentation
	Now         func() time.Time          // optional

	// News is called when another node announces another state than before. It must not
	// wait for anything. Optional.
	News func()

	// Admit judges the certificate of another node, valid by itself: nil to let it in.
	// What it returns is told the node, and wraps ErrAdmission. It is asked often, and
	// also again about nodes that are in. Nil admits every operator.
	Admit func(cert ledger.NodeCertificate) error

	Log        *slog.Logger          // optional
	Registerer prometheus.Registerer // libp2p's metrics; optional
}

// settings is a Config that has been checked and read.
type settings struct {
	Config
	listen    []ma.Multiaddr
	announce  []ma.Multiaddr
	bootstrap []peer.AddrInfo
}

// check reads cfg. Every error wraps ErrConfig, or ErrCertificate or ErrNetwork for
// a certificate that other nodes would refuse.
func (cfg Config) check() (settings, error) {
	s := settings{Config: cfg}
	if cfg.Key.IsZero() {
		return s, fmt.Errorf("%w: no key", ErrConfig)
	}
	if cfg.Public {
		return s, fmt.Errorf("%w: public mode is not part of this version", ErrConfig)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Space == nil {
		s.Space = func() int64 { return 0 }
	}
	if s.State == nil {
		s.State = func() (State, time.Time) { return Serving, time.Time{} }
	}
	if s.Admit == nil {
		s.Admit = func(ledger.NodeCertificate) error { return nil }
	}
	var err error
	if s.listen, err = parseListen(cfg.Listen); err != nil {
		return s, err
	}
	if s.announce, err = parseListen(cfg.Announce); err != nil {
		return s, err
	}
	if s.bootstrap, err = parseFull(cfg.Bootstrap); err != nil {
		return s, err
	}
	if len(cfg.Network) > ledger.MaxNetwork || strings.Trim(cfg.Network, networkAlphabet) != "" {
		return s, fmt.Errorf("%w: network name %.80q", ErrConfig, cfg.Network)
	}
	return s, s.checkNode()
}

func (s settings) isNode() bool { return !s.Certificate.IsZero() }

func (s settings) checkNode() error {
	if !s.isNode() {
		return nil
	}
	if s.Network == "" || len(s.listen) == 0 {
		return fmt.Errorf("%w: a node needs a network and an address to listen on", ErrConfig)
	}
	_, err := checkCertificate(s.Certificate, s.Key.Public(), s.Network, s.Now())
	return err
}

// networkAlphabet is what names of networks are made of (docs/format.md, node
// certificate): they become part of protocol names.
const networkAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789-"

// checkCertificate verifies that signed is a certificate that holds at t for the
// node key of the channel, in a network; an empty name accepts any.
func checkCertificate(signed ident.Signed, key ident.PublicKey, network string, t time.Time) (ledger.NodeCertificate, error) {
	var none ledger.NodeCertificate
	if signed.IsZero() {
		return none, ErrCertificate
	}
	c, err := ledger.VerifyNodeCertificate(signed)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return c, acceptable(c, key, network, t)
}

// judge verifies that signed is a certificate that holds now for the node key of the
// channel, of an operator who is let in.
func (h *Host) judge(signed ident.Signed, key ident.PublicKey) (ledger.NodeCertificate, error) {
	cert, err := checkCertificate(signed, key, h.Network(), h.Now())
	if err != nil {
		return ledger.NodeCertificate{}, err
	}
	known, _ := h.nodes.get(key)
	if o := known.Certificate.Operator; o != cert.Operator && known.Certificate.ValidAt(h.Now()) == nil {
		return ledger.NodeCertificate{}, fmt.Errorf("%w: of %s before, of %s now", ErrTwoOperators, o.Short(), cert.Operator.Short())
	}
	return cert, h.Admit(cert)
}

// welcome reports whether a certificate that was verified before still holds, and its
// operator is still let in.
func (h *Host) welcome(cert ledger.NodeCertificate) bool {
	return cert.ValidAt(h.Now()) == nil && h.Admit(cert) == nil
}

// acceptable judges a certificate whose signature is right.
func acceptable(c ledger.NodeCertificate, key ident.PublicKey, network string, t time.Time) error {
	if c.Node != key {
		return fmt.Errorf("%w: made for node %s", ErrCertificate, c.Node.Short())
	}
	if network != "" && c.Network != network {
		return fmt.Errorf("%w: %q instead of %q", ErrNetwork, c.Network, network)
	}
	if err := c.ValidAt(t); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return nil
}
