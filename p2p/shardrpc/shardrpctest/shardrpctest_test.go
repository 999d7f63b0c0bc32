package shardrpctest_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/leaktest"
	"holdfast/p2p/rpc"
	"holdfast/p2p/rpc/pipenet"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/store/mem"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

func TestClientIsAHolder(t *testing.T) {
	shardrpctest.TestHolder(t, func(t *testing.T) shardrpctest.Subject {
		w := shardrpctest.NewNetwork(t, 1, shardrpctest.Config{})
		node := w.Nodes[0]
		return shardrpctest.Subject{Holder: w.Holder(node.Key.Public()), Vault: w.Vault,
			Device: w.Device.Public(), Node: node.Key.Public(), Vote: node.Vote.Public()}
	})
}

func TestSessionIsAHolder(t *testing.T) {
	shardrpctest.TestHolder(t, func(t *testing.T) shardrpctest.Subject {
		node, vote, device := shardrpctest.Key("node", 0), shardrpctest.Key("vote", 0), shardrpctest.Key("device", 0)
		vault := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 1, 0).Name()
		b := &shardrpctest.Backend{Shelf: mem.New(1 << 30), Node: node.Public(), Vote: vote, Network: "test-x", Now: time.Now}
		s, err := b.Open(t.Context(), device.Public(), vault, shardrpc.Credential{})
		if err != nil {
			t.Fatal(err)
		}
		return shardrpctest.Subject{Holder: shardrpc.Local(s), Vault: vault,
			Device: device.Public(), Node: node.Public(), Vote: vote.Public()}
	})
}

// limits let a test wait for a timeout, where it is one that is expected.
func limits(f shardrpctest.Fault) shardrpc.Limits {
	if f != shardrpctest.Silent && f != shardrpctest.Slow {
		return shardrpc.Limits{}
	}
	return shardrpc.Limits{Progress: time.Second, Answer: time.Second}
}

func TestFaults(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 3}, 200_000, 1)
	for _, f := range shardrpctest.Faults() {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			w := shardrpctest.NewNetwork(t, 2, shardrpctest.Config{Limits: limits(f)})
			node := w.Nodes[0]
			h := w.Holder(node.Key.Public())
			node.Keep(t, w.Vault, s, 0)
			node.Break(f)
			put := h.Put(t.Context(), shardrpc.Nonce{}, 1, s.Descriptor, s.Rows[1])
			_, get := h.Get(t.Context(), s.Ref(0), s.Parsed.Shards[0], s.Parsed.RowSize(), nil)
			_, part := h.Range(t.Context(), s.Ref(0), s.Parsed.Shards[0], s.Parsed.RowSize(), 5, 150_000, nil)
			want := expected[f]
			for i, got := range []error{put, get, part} {
				if !errors.Is(got, want[i]) || (got == nil) != (want[i] == nil) {
					t.Errorf("%s: error is %v, not %v", []string{"put", "get", "range"}[i], got, want[i])
				}
				var peer *rpc.PeerError
				if got != nil && (!errors.As(got, &peer) || peer.Peer != node.Key.Public()) {
					t.Errorf("%v does not name the node", got)
				}
			}
			other := w.Holder(w.Nodes[1].Key.Public())
			if err := other.Put(t.Context(), shardrpc.Nonce{}, 1, s.Descriptor, s.Rows[1]); err != nil {
				t.Errorf("another node: %v", err)
			}
			node.Break(shardrpctest.None)
			if err := h.Put(t.Context(), shardrpc.Nonce{}, 2, s.Descriptor, s.Rows[2]); err != nil {
				t.Errorf("mended: %v", err)
			}
		})
	}
}

// expected are the errors of put, get and range.
var expected = map[shardrpctest.Fault][3]error{
	shardrpctest.Dead:       {pipenet.ErrUnreachable, pipenet.ErrUnreachable, pipenet.ErrUnreachable},
	shardrpctest.Silent:     {rpc.ErrTimeout, rpc.ErrTimeout, rpc.ErrTimeout},
	shardrpctest.Slow:       {nil, rpc.ErrTimeout, rpc.ErrTimeout},
	shardrpctest.Torn:       {nil, rpc.ErrBroken, rpc.ErrBroken},
	shardrpctest.Garbage:    {rpc.ErrProtocol, rpc.ErrProtocol, rpc.ErrProtocol},
	shardrpctest.WrongBytes: {nil, shardrpc.ErrLied, shardrpc.ErrLied},
	shardrpctest.WrongSize:  {nil, shardrpc.ErrLied, nil},
	shardrpctest.Lost:       {nil, shardrpc.ErrNotFound, shardrpc.ErrNotFound},
	shardrpctest.Corrupt:    {nil, shardrpc.ErrCorrupt, shardrpc.ErrCorrupt},
	shardrpctest.Forgetful:  {nil, nil, nil},
	shardrpctest.Full:       {shardrpc.ErrFull, nil, nil},
	shardrpctest.Paused:     {shardrpc.ErrPaused, shardrpc.ErrPaused, shardrpc.ErrPaused},
	shardrpctest.Busy:       {shardrpc.ErrBusy, shardrpc.ErrBusy, shardrpc.ErrBusy},
	shardrpctest.Forbidden:  {shardrpc.ErrForbidden, shardrpc.ErrForbidden, shardrpc.ErrForbidden},
	shardrpctest.Endless:    {nil, shardrpc.ErrLied, shardrpc.ErrLied},
	shardrpctest.Late:       {shardrpc.ErrFull, rpc.ErrBroken, rpc.ErrBroken},
}

func TestDelayAndCounts(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 1000, 1)
	w := shardrpctest.NewNetwork(t, 1, shardrpctest.Config{})
	node := w.Nodes[0]
	node.Delay(20 * time.Millisecond)
	begun := time.Now()
	for _, h := range w.Holders() {
		if err := h.Put(t.Context(), shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0]); err != nil {
			t.Fatal(err)
		}
	}
	if time.Since(begun) < 20*time.Millisecond || node.Puts() != 1 || node.Gets() != 0 {
		t.Error(time.Since(begun), node.Puts(), node.Gets())
	}
}
