package p2p

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

func withAdmit(admit func(ledger.NodeCertificate) error) option {
	return func(c *Config, _ *timing) { c.Admit = admit }
}

// only lets in the nodes of some operators.
func only(operators ...ident.PublicKey) func(ledger.NodeCertificate) error {
	return func(c ledger.NodeCertificate) error {
		for _, o := range operators {
			if c.Operator == o {
				return nil
			}
		}
		return fmt.Errorf("%w: %s", ErrAdmission, c.Name)
	}
}

// A network with a roster has no place for other operators, whoever begins.
func TestRosterKeepsOthersOut(t *testing.T) {
	operator := newKey(t)
	key := newKey(t)
	h := start(t, withAdmit(only(operator.Public())))
	member := start(t, withKey(key), withCertificate(certifyBy(t, operator, key.Public(), nil)), withBootstrap(h.Addrs()...))
	until(t, "the member", func() bool { return tableSize(h) == 1 })
	stranger := newRogue(t)
	cert := certify(t, stranger.key.Public(), nil)
	a, err := stranger.say(t, h, sendHello(helloRequest{V: 1, Network: testNetwork, Cert: cert, Clock: time.Now().UnixMilli()}))
	if err != nil || !strings.Contains(a.Refused, ErrAdmission.Error()) {
		t.Errorf("a stranger is told %q, %v", a.Refused, err)
	}
	stranger.answer(t, func(*helloAnswer) {})
	if _, err := h.greet(t.Context(), stranger.ID(), 0); !errors.Is(err, ErrAdmission) {
		t.Errorf("greeting a stranger: %v", err)
	}
	nodes, err := h.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Certificate.Node != member.ID() {
		t.Errorf("nodes: %v, %v", nodes, err)
	}
}

// Who is taken off the roster goes, without a restart.
func TestRosterChanges(t *testing.T) {
	var closed atomic.Bool
	h := start(t, withAdmit(func(c ledger.NodeCertificate) error {
		if closed.Load() {
			return ErrAdmission
		}
		return nil
	}))
	other := start(t, withBootstrap(h.Addrs()...))
	until(t, "the other", func() bool { return tableSize(h) == 1 })
	closed.Store(true)
	until(t, "an empty table", func() bool { return tableSize(h) == 0 })
	if nodes, err := h.Nodes(t.Context()); err != nil || len(nodes) != 0 {
		t.Errorf("nodes: %v, %v", nodes, err)
	}
	if _, err := h.Node(t.Context(), other.ID()); !errors.Is(err, ErrAdmission) {
		t.Errorf("one node: %v", err)
	}
}

// A node has one operator, as long as the certificate lasts that it has shown.
func TestNodeOfTwoOperators(t *testing.T) {
	c := &clock{}
	h := start(t, withClock(c.now))
	r := newRogue(t)
	say := func(cert ident.Signed) string {
		a, err := r.say(t, h, sendHello(helloRequest{V: 1, Network: testNetwork, Cert: cert, Clock: c.now().UnixMilli()}))
		if err != nil {
			t.Fatal(err)
		}
		return a.Refused
	}
	first, second := newKey(t), newKey(t)
	if refused := say(certifyBy(t, first, r.key.Public(), nil)); refused != "" {
		t.Fatal(refused)
	}
	later := func(n *ledger.NodeCertificate) { n.Serial = 2; n.Expires = time.Now().Add(3 * time.Hour).UnixMilli() }
	if refused := say(certifyBy(t, second, r.key.Public(), later)); !strings.Contains(refused, ErrTwoOperators.Error()) {
		t.Errorf("a second operator: %q", refused)
	}
	c.advance(2 * time.Hour) // the first certificate is over
	if refused := say(certifyBy(t, second, r.key.Public(), later)); refused != "" {
		t.Errorf("after the end of the first certificate: %q", refused)
	}
}
