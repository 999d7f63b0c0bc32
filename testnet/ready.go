package testnet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/node"
)

const (
	// readyLimit is how long a node may stay as it is before it is ready: with many nodes
	// on a machine all of them are slow, and none is stuck.
	readyLimit = 60 * time.Second
	askEvery   = 20 * time.Millisecond

	// enoughPeers is how many others a node must know to count as ready in a large
	// network; in a small one, all that are up.
	enoughPeers = 8
)

// ErrNotReady says that nodes were not ready in time.
var ErrNotReady = errors.New("the network did not become ready in time")

// AwaitReady waits until every node that is up serves, also one that has announced that
// it will be away or gives away what it holds, and knows enough of the others. Those that are dead, held or paused are not waited for.
func (n *Network) AwaitReady(ctx context.Context) error {
	var names []string
	for _, s := range n.Status(ctx) {
		if s.State == StateRunning || s.State == StateSilent {
			names = append(names, s.Name)
		}
	}
	return n.awaitReady(ctx, names)
}

// awaitReady waits for these nodes.
func (n *Network) awaitReady(ctx context.Context, names []string) error {
	others := -1
	for _, name := range n.Names() {
		if n.state(name).up() {
			others++
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		g.Go(func() error {
			return n.await(ctx, name, func(s node.Status) bool {
				return serves(s.State) && s.Peers >= min(others, enoughPeers)
			})
		})
	}
	return g.Wait()
}

// serves reports whether a node in a state gives what it holds.
func serves(state string) bool {
	return state == node.StateServing || state == node.StateDraining || state == node.StateAway
}

// awaitState waits until a node says that it is in a state.
func (n *Network) awaitState(ctx context.Context, name, state string) error {
	return n.await(ctx, name, func(s node.Status) bool { return s.State == state })
}

// await waits until what a node says of itself is as wanted. It gives up when the node
// has said the same, or nothing, for too long.
func (n *Network) await(ctx context.Context, name string, ok func(node.Status) bool) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	last, since, began := "", time.Now(), time.Now()
	for {
		s, err := node.Ask(ctx, n.NodeDir(name))
		if err == nil && ok(s) {
			return nil
		}
		if err == nil {
			said := fmt.Sprintf("%s with %d peers %s", s.State, s.Peers, s.Reason)
			if err = errors.New(said); said != last {
				last, since = said, time.Now()
			}
		}
		switch {
		case n.state(name).pid == 0:
			return fmt.Errorf("%w: %s ended; see %s", ErrNotReady, name, filepath.Join(n.NodeDir(name), logName))
		case time.Since(since) > readyLimit || time.Since(began) > 10*readyLimit:
			return fmt.Errorf("%w: %s: %w", ErrNotReady, name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: %w", ErrNotReady, name, err)
		case <-tick.C:
		}
	}
}
