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
	wake  chan struct{} // somebody wants to know

	mu    sync.Mutex
	count int
	skew  time.Duration // the others' median less ours
}

func newNeighbours(nodes func(ctx context.Context) ([]p2p.Node, error)) *neighbours {
	return &neighbours{nodes: nodes, wake: make(chan struct{}, 1)}
}

// How often the node looks around, and how long it waits for those that do not
// answer: little while it finds others, then more and more. It costs a greeting of
// every node.
const (
	lookMin   = 50 * time.Millisecond
	lookAgain = time.Second // at the earliest, if somebody wants to know
	lookMax   = 5 * time.Minute
	lookLimit = 10 * time.Second
)

// run looks around until ctx ends.
func (n *neighbours) run(ctx context.Context) error {
	wait := lookMin
	for {
		if n.look(ctx, min(4*wait, lookLimit)) {
			wait = lookMin
		}
		if !n.pause(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, lookMax)
	}
}

// pause waits, or less long if somebody wants to know. It is false when ctx ends.
func (n *neighbours) pause(ctx context.Context, wait time.Duration) bool {
	timer, soon := time.NewTimer(wait), time.NewTimer(min(wait, lookAgain))
	defer timer.Stop()
	defer soon.Stop()
	var wake chan struct{} // not before soon
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-soon.C:
			wake = n.wake
		case <-wake:
			return true
		}
	}
}

// refresh has the node look around soon, so that what it says next is new.
func (n *neighbours) refresh() {
	select {
	case n.wake <- struct{}{}:
	default:
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
