package node

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/p2p"
)

func TestMedianSkew(t *testing.T) {
	for _, c := range []struct {
		skews []time.Duration
		want  time.Duration
	}{
		{nil, 0}, {[]time.Duration{5}, 5}, {[]time.Duration{9, 5}, 5}, {[]time.Duration{3, 1 << 50, 2}, 3}, {[]time.Duration{-1 << 50, -2, 7, 1 << 50}, -2},
	} {
		var nodes []p2p.Node
		for _, s := range c.skews {
			nodes = append(nodes, p2p.Node{Skew: s})
		}
		if got := medianSkew(nodes); got != c.want {
			t.Errorf("%v: %v", c.skews, got)
		}
	}
}

// A look that was cut short adds to what was seen, and takes nothing away.
func TestLookAround(t *testing.T) {
	var nodes []p2p.Node
	var failure error
	n := newNeighbours(func(context.Context) ([]p2p.Node, error) { return nodes, failure })
	see := func(found int, err error, changed bool, want int) {
		t.Helper()
		nodes, failure = make([]p2p.Node, found), err
		if got := n.look(t.Context(), time.Second); got != changed {
			t.Errorf("changed: %v", got)
		}
		if count, _ := n.seen(); count != want {
			t.Errorf("%d seen, not %d", count, want)
		}
	}
	short := errors.New("cut short")
	see(0, nil, false, 0)
	see(3, short, true, 3)
	see(2, short, false, 3)
	see(5, nil, true, 5)
	see(4, nil, false, 4)
	see(0, nil, false, 0)
}

// While nothing changes the node looks around less and less often, unless somebody
// wants to know; and it ends when it is told to.
func TestLookingAroundGetsRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks int
		var mu sync.Mutex
		n := newNeighbours(func(context.Context) ([]p2p.Node, error) {
			mu.Lock()
			defer mu.Unlock()
			looks++
			return make([]p2p.Node, 3), nil
		})
		since := func() int {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			seen := looks
			looks = 0
			return seen
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.run(ctx) }()
		time.Sleep(5 * time.Second)
		if seen := since(); seen < 5 || seen > 12 {
			t.Errorf("%d looks at the start", seen)
		}
		time.Sleep(time.Hour)
		since()
		time.Sleep(time.Hour)
		if seen := since(); seen < 11 || seen > 13 {
			t.Errorf("%d looks in an hour", seen)
		}
		n.refresh()
		time.Sleep(2 * time.Second)
		if seen := since(); seen != 1 {
			t.Errorf("%d looks when somebody wants to know", seen)
		}
		cancel()
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestClockUnusable(t *testing.T) {
	for skew, want := range map[time.Duration]bool{0: false, 9 * time.Minute: false, -9 * time.Minute: false, 11 * time.Minute: true, -11 * time.Minute: true} {
		if unusable(skew) != want {
			t.Errorf("%v: %v", skew, !want)
		}
	}
}
