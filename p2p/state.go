package p2p

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// State is what a node announces of itself, in its hello and in its record. It is a
// claim: whoever places shards may believe it, for a node that claims it wrongly
// only goes without new ones.
type State string

// The states that are announced. A word that is not known reads as Serving, so that
// there can be more of them.
const (
	Serving  State = ""
	Draining State = "draining" // it takes nothing new; what it holds should move elsewhere
	Away     State = "away"     // it is down, or will be, until the time that goes with it
)

// MaxAway is how far ahead an absence may end. A node that announces a later end is
// taken to have announced this one.
const MaxAway = 7 * 24 * time.Hour

// readState judges an announced state at now. An absence without an end, or whose end
// is past, is none.
func readState(state State, until int64, now time.Time) (State, time.Time) {
	end := time.UnixMilli(until)
	switch {
	case state == Draining:
		return Draining, time.Time{}
	case state == Away && until > 0 && end.After(now):
		if latest := now.Add(MaxAway); end.After(latest) {
			end = latest
		}
		return Away, end
	}
	return Serving, time.Time{}
}

// StateAt returns what the node has announced for the time t: an absence ends by
// itself.
func (n Node) StateAt(t time.Time) State {
	if n.State == Away && !t.Before(n.Until) {
		return Serving
	}
	return n.State
}

// state is what this host says of itself: the word, and milliseconds since 1970.
func (h *Host) state() (State, int64) {
	state, until := h.State()
	if until.IsZero() {
		return state, 0
	}
	return state, until.UnixMilli()
}

// Tell repeats what this node says of itself, as after a change of its state: in a
// hello to every node that is connected, and, by and by, in its record. It returns
// when those have answered, or ctx ends.
func (h *Host) Tell(ctx context.Context) error {
	if !h.isNode() {
		return ErrNotNode
	}
	h.publisher.trigger()
	var connected []peer.ID
	for _, p := range h.everybody() {
		if h.host.Network().Connectedness(p) == network.Connected {
			connected = append(connected, p)
		}
	}
	forEach(connected, greetAtOnce, func(p peer.ID) {
		h.greet(ctx, p, time.Nanosecond) // may be one that was under way, and said what was before
		h.greet(ctx, p, time.Nanosecond)
	})
	return ctx.Err()
}
