package p2p

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// gate counts what is going on, in all and for each peer, and turns away what is
// too much. It never makes anybody wait: a waiting stream holds memory too.
type gate struct {
	inAll, perPeer int

	mu    sync.Mutex
	total int
	by    map[peer.ID]int
}

func newGate(inAll, perPeer int) *gate {
	return &gate{inAll: inAll, perPeer: perPeer, by: make(map[peer.ID]int)}
}

// enter reports whether p may have one more; whoever entered calls leave once.
func (g *gate) enter(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.inAll || g.by[p] >= g.perPeer {
		return false
	}
	g.total++
	g.by[p]++
	return true
}

func (g *gate) leave(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.by[p]--; g.by[p] == 0 {
		delete(g.by, p)
	}
}
