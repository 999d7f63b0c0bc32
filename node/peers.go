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

// How often the node looks around, and how long it waits for those that do not
// answer: little while it finds others, then more and more.
const (
	lookMin   = 50 * time.Millisecond
	lookMax   = time.Minute
	lookLimit = 10 * time.Second
)

// run looks around until ctx ends.
func (n *neighbours) run(ctx context.Context) error {
	wait := lookMin
	for {
		if n.look(ctx, min(4*wait, lookLimit)) {
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

// look asks once, and reports whether others were found.
func (n *neighbours) look(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	nodes, err := n.nodes(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil && len(nodes) <= n.count {
		return false // not all were asked
	}
	more := len(nodes) > n.count
	n.count, n.skew = len(nodes), medianSkew(nodes)
	return more
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
