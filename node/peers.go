package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast/p2p"
)

// neighbours is what the node last saw of the others: how many are up, and how far
// their clocks are from its own.
type neighbours struct {
	nodes func(ctx context.Context) ([]p2p.Node, error)

	mu    sync.Mutex
	count int
	skew  time.Duration // the others' median less ours
}

// How often the node looks around: often while it finds others, then less and less.
const (
	lookMin   = 50 * time.Millisecond
	lookMax   = time.Minute
	lookLimit = 10 * time.Second
)

// run looks around until ctx ends.
func (n *neighbours) run(ctx context.Context) error {
	wait := lookMin
	for {
		if n.look(ctx) {
			wait = lookMin
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			wait = min(2*wait, lookMax)
		}
	}
}

// look asks once, and reports whether something has changed.
func (n *neighbours) look(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	nodes, err := n.nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	changed := n.count != len(nodes)
	n.count, n.skew = len(nodes), medianSkew(nodes)
	return changed
}

func medianSkew(nodes []p2p.Node) time.Duration {
	if len(nodes) == 0 {
		return 0
	}
	skews := make([]time.Duration, len(nodes))
	for i, n := range nodes {
		skews[i] = n.Skew
	}
	slices.Sort(skews)
	return skews[(len(skews)-1)/2]
}

func (n *neighbours) seen() (count int, skew time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count, n.skew
}
