package p2p

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/ledger"
)

// restart makes a node again, with the key and the port that it had.
func restart(t testing.TB, old *Host, addr string, opts ...option) *Host {
	t.Helper()
	listen, _, _ := strings.Cut(addr, "/p2p/")
	return start(t, append(opts, withKey(old.Key), withCertificate(old.Certificate), withListen(listen))...)
}

// A node that is up before its bootstrap node joins by itself when that comes.
func TestBootstrapNodeComesLater(t *testing.T) {
	first := start(t)
	addr := first.Addrs()[0]
	first.Close()
	early := start(t, withBootstrap(addr))
	later := start(t, withBootstrap(early.Addrs()...))
	until(t, "the two find each other", func() bool { return tableSize(early) == 1 && tableSize(later) == 1 })
	back := restart(t, first, addr)
	meshed(t, early, later, back)
}

// A node that crashes and comes back is found again, also by nodes that it does not
// know, and although others have given up on it for the moment.
func TestNodeRestarts(t *testing.T) {
	nodes := cluster(t, 4)
	meshed(t, nodes...)
	addr := nodes[0].Addrs()[0]
	nodes[0].Close()
	until(t, "they notice", func() bool { return !nodes[1].admitted(nodes[0].host.ID()) })
	if found, err := nodes[1].Nodes(t.Context()); err != nil || len(found) != 2 {
		t.Fatalf("%d nodes without the first, %v", len(found), err)
	}
	back := restart(t, nodes[0], addr) // without bootstrap nodes: the others come to it
	until(t, "everybody is back", func() bool {
		found, err := back.Nodes(t.Context())
		return err == nil && len(found) == 3
	})
	until(t, "it is known again", func() bool {
		found, err := nodes[3].Nodes(t.Context())
		return err == nil && len(found) == 3
	})
}

// Two halves of a network, each with neighbours of its own, meet when a bootstrap
// node of the other half comes up: having some peers is no reason to stop trying.
func TestHalvesMeet(t *testing.T) {
	a, b := start(t), start(t)
	addr := b.Addrs()[0]
	b.Close()
	left := start(t, withBootstrap(a.Addrs()...), withBootstrap(addr))
	until(t, "left half", func() bool { return tableSize(left) == 1 })
	right := restart(t, b, addr)
	until(t, "both halves", func() bool { return tableSize(right) >= 1 && tableSize(left) == 2 })
	until(t, "all of them", func() bool { found, _ := right.Nodes(t.Context()); return len(found) == 2 })
}

// Attempts follow each other at a bounded rate, whatever the other side does.
func TestAttemptsAreBounded(t *testing.T) {
	tm := timing{retryMin: time.Second, retryMax: time.Minute}
	now := time.Unix(0, 0).Add(1000 * time.Hour)
	var a attempt
	n := 0
	for end := now.Add(time.Hour); now.Before(end); n++ {
		a = a.after(now, tm)
		if wait := a.next.Sub(now); wait < tm.retryMin*3/4 || wait > tm.retryMax {
			t.Fatalf("attempt %d: wait %v", n, wait)
		}
		now = a.next
	}
	if n < 59 || n > 100 {
		t.Errorf("%d attempts in an hour", n)
	}
	if a = a.after(now.Add(time.Hour), tm); a.wait != tm.retryMin {
		t.Errorf("after a quiet hour the wait is %v", a.wait)
	}
}

func TestStartTwice(t *testing.T) {
	h := start(t)
	if err := h.Start(t.Context()); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	h.Close()
	if err := h.Close(); err != nil {
		t.Error("second close:", err)
	}
	if _, err := h.greet(t.Context(), newRogue(t).ID(), 0); !errors.Is(err, ErrClosed) {
		t.Error("after close:", err)
	}
	gone := build(t)
	gone.Close()
	if err := gone.Start(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error("start after close:", err)
	}
}

// A client's Start ends with its context although a bootstrap node hangs.
func TestStartIsPatientOnlyAsLongAsItsContext(t *testing.T) {
	gone := start(t)
	addr := gone.Addrs()[0]
	gone.Close()
	mute(t, addr)
	c := build(t, asClient(), withBootstrap(addr), withTiming(func(tm *timing) { *tm = defaultTiming() }))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := c.Start(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
}

// A certificate that expires takes a node out of the table and out of the list; a
// new one brings it back.
func TestCertificateExpires(t *testing.T) {
	var c clock
	watch := start(t, withClock(c.now))
	key := newKey(t)
	operator := newKey(t)
	cert := func(serial int64, life time.Duration) func(*ledger.NodeCertificate) {
		return func(n *ledger.NodeCertificate) {
			n.Operator, n.Vote = operator.Public(), newKey(t).Public()
			n.Serial, n.Expires = serial, time.Now().Add(life).UnixMilli()
		}
	}
	node := start(t, withKey(key), withCertificate(certifyBy(t, operator, key.Public(), cert(1, 10*time.Minute))), withBootstrap(watch.Addrs()...))
	until(t, "admission", func() bool { return tableSize(watch) == 1 })
	c.advance(15 * time.Minute)
	until(t, "expiry", func() bool { return tableSize(watch) == 0 })
	if found, err := watch.Nodes(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("%d nodes found, %v", len(found), err)
	}
	if err := node.Renew(certifyBy(t, operator, key.Public(), cert(2, 40*time.Minute))); err != nil {
		t.Fatal(err)
	}
	until(t, "return", func() bool {
		found, err := watch.Nodes(t.Context())
		return err == nil && len(found) == 1 && found[0].Certificate.Serial == 2 && tableSize(watch) == 1
	})
	if err := node.Renew(certify(t, newKey(t).Public(), nil)); !errors.Is(err, ErrCertificate) {
		t.Errorf("another node's certificate: %v", err)
	}
	if err := build(t, asClient()).Renew(node.certificate()); !errors.Is(err, ErrNotNode) {
		t.Errorf("a client's certificate: %v", err)
	}
}
