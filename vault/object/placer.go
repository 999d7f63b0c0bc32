package object

import (
	"errors"
	"sync"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// Placer says who is to hold what. Its calls never overlap.
type Placer interface {
	// Place returns the node for each of the n shards of a segment; the zero key
	// is nobody. Data segments are numbered from 0, the metadata segment is last.
	Place(segment int) ([]ident.PublicKey, error)
	// Spare returns another node for a shard whose node has failed, and false if
	// there is none. Failed are all nodes that have failed so far; it is not to be
	// kept. A spare counts as the shard's node from then on.
	Spare(segment, shard int, failed map[ident.PublicKey]bool) (ident.PublicKey, bool)
}

// maxStrikes is how often in a row a node may fail before it gets nothing more of
// this commit.
const maxStrikes = 2

// errNobody says that the placer had no node for a shard.
var errNobody = errors.New("no node to hold the shard")

// errStalled says that a holder is far behind the others.
var errStalled = errors.New("the holder makes no progress")

// targets asks the placer, and remembers how the nodes behave.
type targets struct {
	placer Placer

	mu      sync.Mutex
	strikes map[ident.PublicKey]int
	failed  map[ident.PublicKey]bool
}

func newTargets(p Placer) *targets {
	return &targets{placer: p, strikes: map[ident.PublicKey]int{}, failed: map[ident.PublicKey]bool{}}
}

func (t *targets) place(segment int) ([]ident.PublicKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.placer.Place(segment)
}

// usable returns the node itself, or a spare if it has failed before.
func (t *targets) usable(segment, shard int, node ident.PublicKey) (ident.PublicKey, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !node.IsZero() && !t.failed[node] {
		return node, true
	}
	return t.spare(segment, shard)
}

// gone reports whether a node has failed for good in this commit.
func (t *targets) gone(node ident.PublicKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed[node]
}

// succeed forgets a node's strikes.
func (t *targets) succeed(node ident.PublicKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.strikes, node)
}

// after decides who tries next after a node has failed: the same once more, if the
// failure may pass, or a spare.
func (t *targets) after(segment, shard int, node ident.PublicKey, err error) (ident.PublicKey, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.strikes[node]++; !lasting(err) && t.strikes[node] < maxStrikes {
		return node, true
	}
	t.failed[node] = true
	return t.spare(segment, shard)
}

func (t *targets) spare(segment, shard int) (ident.PublicKey, bool) {
	node, ok := t.placer.Spare(segment, shard, t.failed)
	return node, ok && !node.IsZero() && !t.failed[node]
}

// lasting reports whether a node that failed so will fail again.
func lasting(err error) bool {
	for _, e := range []error{
		errStalled, shardrpc.ErrFull, shardrpc.ErrQuota, shardrpc.ErrForbidden, shardrpc.ErrUnknownVault,
		shardrpc.ErrPaused, shardrpc.ErrClock, shardrpc.ErrBadRequest, shardrpc.ErrMismatch,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// noRoom reports whether a holder refused for want of room.
func noRoom(err error) bool {
	return errors.Is(err, shardrpc.ErrFull) || errors.Is(err, shardrpc.ErrQuota)
}
