package object

import (
	"sync"

	"holdfast/internal/ident"
)

const (
	firstPenalty = 8
	maxPenalty   = 256
)

// health remembers which nodes have failed or were late. Such a node is passed over
// a number of times, then tried again; the number doubles while it stays bad.
type health struct {
	mu    sync.Mutex
	nodes map[ident.PublicKey]*penalty
}

type penalty struct {
	last int // what it was given
	left int // how often it is still passed over
}

func newHealth() *health { return &health{nodes: map[ident.PublicKey]*penalty{}} }

// suspect reports whether a node should be passed over this time.
func (h *health) suspect(node ident.PublicKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.nodes[node]
	if p == nil || p.left == 0 {
		return false
	}
	p.left--
	return true
}

func (h *health) failed(node ident.PublicKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.nodes[node]
	if p == nil {
		p = &penalty{last: firstPenalty / 2}
		h.nodes[node] = p
	}
	p.last = min(2*p.last, maxPenalty)
	p.left = p.last
}

func (h *health) succeeded(node ident.PublicKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.nodes, node)
}
