package rpc

import (
	"bufio"
	"io"
	"sync"

	"holdfast/internal/ident"
)

// Gate counts what a server's peers have under way. All streams of one server go
// through one gate.
type Gate struct {
	limits  Limits
	buffers sync.Pool // of *bufio.Writer

	mu    sync.Mutex
	all   load
	peers map[ident.PublicKey]*load
}

type load struct {
	requests int
	bytes    int64
}

// answerBuffer collects the small pieces of a raw answer. It is as long as a frame
// of the muxer.
const answerBuffer = 64 << 10

// NewGate makes the gate of a server.
func NewGate(l Limits) *Gate {
	g := &Gate{limits: l.withDefaults(), peers: make(map[ident.PublicKey]*load)}
	g.buffers.New = func() any { return bufio.NewWriterSize(io.Discard, answerBuffer) }
	return g
}

// take counts one more request, or n more bytes, of a peer if there is room.
func (g *Gate) take(peer ident.PublicKey, requests int, bytes int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.peers[peer]
	if l == nil {
		l = &load{}
	}
	if l.requests+requests > g.limits.PeerRequests || l.bytes+bytes > g.limits.PeerBytes ||
		g.all.requests+requests > g.limits.Requests || g.all.bytes+bytes > g.limits.Bytes {
		return false
	}
	l.requests += requests
	l.bytes += bytes
	g.all.requests += requests
	g.all.bytes += bytes
	g.peers[peer] = l
	return true
}

// give takes back what take has counted.
func (g *Gate) give(peer ident.PublicKey, requests int, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.peers[peer]
	l.requests -= requests
	l.bytes -= bytes
	g.all.requests -= requests
	g.all.bytes -= bytes
	if *l == (load{}) {
		delete(g.peers, peer)
	}
}
