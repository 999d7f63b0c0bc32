package p2p

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/wire"
	"holdfast/ledger"
)

func withState(state func() (State, time.Time)) option {
	return func(c *Config, _ *timing) { c.State = state }
}

// What is announced is a claim, and is cut to what it may claim.
func TestAnnouncedStates(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	for _, c := range []struct {
		name  string
		state State
		until int64
		want  State
		end   time.Time
	}{
		{"serving", Serving, 0, Serving, time.Time{}},
		{"serving with an end", Serving, at(time.Hour), Serving, time.Time{}},
		{"draining", Draining, 0, Draining, time.Time{}},
		{"draining with an end", Draining, at(time.Hour), Draining, time.Time{}},
		{"away", Away, at(time.Hour), Away, now.Add(time.Hour)},
		{"away without an end", Away, 0, Serving, time.Time{}},
		{"away before 1970", Away, -5, Serving, time.Time{}},
		{"away until now", Away, at(0), Serving, time.Time{}},
		{"back", Away, at(-time.Hour), Serving, time.Time{}},
		{"away for a month", Away, at(30 * 24 * time.Hour), Away, now.Add(MaxAway)},
		{"away for ever", Away, math.MaxInt64, Away, now.Add(MaxAway)},
		{"a word of a later version", "asleep", at(time.Hour), Serving, time.Time{}},
	} {
		state, end := readState(c.state, c.until, now)
		if state != c.want || !end.Equal(c.end) {
			t.Errorf("%s: %q until %v, want %q until %v", c.name, state, end, c.want, c.end)
		}
	}
	n := Node{State: Away, Until: now}
	if n.StateAt(now.Add(-time.Second)) != Away || n.StateAt(now) != Serving {
		t.Error("an absence does not end by itself")
	}
	if n := (Node{State: Draining}); n.StateAt(now) != Draining {
		t.Error("draining ends by itself")
	}
}

// A change of state reaches the others by a hello, and those that come later by the
// record.
func TestStateIsTold(t *testing.T) {
	var draining atomic.Bool
	state := func() (State, time.Time) {
		if draining.Load() {
			return Draining, time.Time{}
		}
		return Serving, time.Time{}
	}
	a := start(t, withState(state))
	var news atomic.Int32
	b := start(t, withBootstrap(a.Addrs()...), func(c *Config, _ *timing) { c.News = func() { news.Add(1) } })
	seen := func(h *Host) State {
		e, _ := h.nodes.get(a.ID())
		return e.State
	}
	met := func(x, y *Host) bool { e, ok := x.nodes.get(y.ID()); return ok && !e.Seen.IsZero() }
	until(t, "hellos", func() bool { return met(a, b) && met(b, a) })
	if seen(b) != Serving {
		t.Fatalf("state %q at first", seen(b))
	}
	draining.Store(true)
	if err := a.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the other to hear of it", func() bool { return seen(b) == Draining && news.Load() > 0 })
	heard := news.Load() // once, or for each of several hellos that met
	if err := a.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := news.Load(); n != heard {
		t.Errorf("the same state again is news: %d times, and then %d", heard, n)
	}
	until(t, "the record", func() bool {
		value, err := b.value(t.Context(), nodeKey(a.ID()))
		if err != nil {
			return false
		}
		r, err := nodeValidator{testNetwork, time.Now}.parse(nodeKey(a.ID()), value)
		return err == nil && r.State == string(Draining)
	})
	if client := build(t, asClient()); client.Tell(t.Context()) != ErrNotNode {
		t.Error("a client has a state to tell")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the connection", func() bool {
		up, err := b.Nodes(t.Context())
		return err == nil && len(up) == 0
	})
	if known := b.Known(); len(known) != 1 || known[0].State != Draining {
		t.Errorf("what it said before it went is forgotten: %+v", known)
	}
}

// A hello with a state that nobody knows is a hello.
func TestUnknownStateInHello(t *testing.T) {
	h, r := start(t), newRogue(t)
	q := helloRequest{
		V: 1, Network: testNetwork, Cert: r.certify(t, nil), Clock: time.Now().UnixMilli(),
		State: "asleep", Until: math.MinInt64,
	}
	if a, err := r.say(t, h, sendHello(q)); err != nil || a.Refused != "" {
		t.Fatal(err, a.Refused)
	}
	if e, _ := h.nodes.get(r.key.Public()); e.State != Serving || !e.Until.IsZero() {
		t.Errorf("state %q until %v", e.State, e.Until)
	}
}

// Readers from before there were states ignore them.
func TestStateIsIgnoredByOldReaders(t *testing.T) {
	key := newKey(t)
	s, err := ledger.SignNodeRecord(key, ledger.NodeRecord{Cert: certify(t, key.Public(), nil), State: "draining", Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	var old struct {
		V   int64 `cbor:"v"`
		Seq int64 `cbor:"seq"`
	}
	if err := wire.DecodeVersion(s.Object, 1, &old); err != nil || old.Seq != 1 {
		t.Error(old, err)
	}
}
