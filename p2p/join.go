package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// greetAtOnce bounds how many nodes are greeted at the same time.
const greetAtOnce = 32

// Start joins the network: it exchanges hellos with the bootstrap nodes and those
// that were learned, and from then on sees to it, until Close, that the connection
// to the network comes back whenever it is lost. A node also publishes its record.
//
// It returns as soon as one node has answered. A node's Start returns nil even if
// none does: it may be the first, or up before the others, and goes on trying. A
// client's returns what the nodes' failures were, ErrUnreachable among them where
// it fits, and goes on trying too. Start may be called once.
func (h *Host) Start(ctx context.Context) error {
	h.mu.Lock()
	again := h.started
	h.started = true
	h.mu.Unlock()
	if again {
		return fmt.Errorf("%w: started twice", ErrConfig)
	}
	first := make(chan error, maxNodes+1)
	if !h.work.run(func() { h.stayJoined(first) }) {
		return ErrClosed
	}
	if h.isNode() {
		h.work.run(h.publishLoop)
	}
	err := h.firstAnswer(ctx, first)
	if h.isNode() {
		return nil
	}
	return err
}

// firstAnswer waits until one greeting has succeeded or all have failed.
func (h *Host) firstAnswer(ctx context.Context, first <-chan error) error {
	errs := []error{fmt.Errorf("join network: %w", ErrUnreachable)}
	for {
		select {
		case err, open := <-first:
			if !open {
				return errors.Join(errs...)
			}
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		case <-ctx.Done():
			return errors.Join(append(errs, ctx.Err())...)
		}
	}
}

// attempt is when a node may be greeted again, so that the rate is bounded
// whatever the node does.
type attempt struct {
	last, next time.Time
	wait       time.Duration
}

func (a attempt) after(now time.Time, t timing) attempt {
	if now.Sub(a.last) > 2*t.retryMax {
		a.wait = 0
	}
	a.wait = min(max(2*a.wait, t.retryMin), t.retryMax)
	jitter := time.Duration(rand.Int64N(int64(a.wait)/4 + 1))
	return attempt{last: now, next: now.Add(a.wait - jitter), wait: a.wait}
}

// stayJoined greets bootstrap nodes that are not connected, for ever; and every
// node that is known, while none is. What comes of the first round goes to first.
func (h *Host) stayJoined(first chan<- error) {
	attempts := make(map[peer.ID]attempt)
	h.round(h.everybody(), attempts, first)
	close(first)
	swept := time.Now()
	for {
		wait := time.NewTimer(h.pause(attempts))
		select {
		case <-wait.C:
		case <-h.lost:
		case <-h.alive.Done():
			wait.Stop()
			return
		}
		wait.Stop()
		if time.Since(swept) >= h.timing.sweep {
			swept = time.Now()
			h.dropUnwelcome()
		}
		h.round(h.absent(), attempts, nil)
	}
}

// round greets those whose turn it is, and reports to result if there is one.
func (h *Host) round(whom []peer.ID, attempts map[peer.ID]attempt, result chan<- error) {
	var due []peer.ID
	now := time.Now()
	for _, p := range whom {
		if !now.Before(attempts[p].next) {
			attempts[p] = attempts[p].after(now, h.timing)
			due = append(due, p)
		}
	}
	forEach(due, greetAtOnce, func(p peer.ID) {
		_, err := h.greet(h.alive, p, 0)
		if err != nil {
			h.Log.Log(h.alive, gravity(err), "cannot join by this node", "error", err)
		}
		if result != nil {
			result <- err
		}
	})
}

// gravity tells a node that is down, which happens, from one that this host will
// never get along with as both are configured.
func gravity(err error) slog.Level {
	for _, grave := range []error{ErrRefused, ErrNetwork, ErrCertificate, ErrAdmission, ErrTwoOperators, ErrHello} {
		if errors.Is(err, grave) {
			return slog.LevelWarn
		}
	}
	return slog.LevelDebug
}

// pause is how long there is nothing to do.
func (h *Host) pause(attempts map[peer.ID]attempt) time.Duration {
	wait := min(h.timing.retryMax, h.timing.sweep)
	for _, p := range h.absent() {
		wait = min(wait, time.Until(attempts[p].next))
	}
	return max(wait, h.timing.retryMin/2)
}

// absent returns the bootstrap nodes without a hello, or everybody if there is
// nobody at all.
func (h *Host) absent() []peer.ID {
	all, away := h.everybody(), 0
	for _, p := range all {
		if !h.admitted(p) {
			away++
		}
	}
	if away == len(all) {
		return all
	}
	var out []peer.ID
	for _, b := range h.bootstrap {
		if b.ID != h.host.ID() && !h.admitted(b.ID) {
			out = append(out, b.ID)
		}
	}
	return out
}

// everybody returns all nodes that are known but this one.
func (h *Host) everybody() []peer.ID {
	keys := h.nodes.keys()
	out := make([]peer.ID, 0, len(keys))
	for _, key := range keys {
		if p, err := peerOf(key); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// dropUnwelcome takes nodes whose certificate has expired, or whose operator is not
// let in any more, out of the routing table. They may come back with a new one.
func (h *Host) dropUnwelcome() {
	for _, key := range h.nodes.unwelcome(h.welcome) {
		p, err := peerOf(key)
		if err != nil {
			continue
		}
		if d := h.table(); d != nil {
			d.RoutingTable().RemovePeer(p)
		}
		h.unprotect(p)
		h.work.run(func() { h.greet(h.alive, p, 0) })
	}
}

// onDisconnect wakes stayJoined.
func (h *Host) onDisconnect(network.Network, network.Conn) {
	select {
	case h.lost <- struct{}{}:
	default:
	}
}
