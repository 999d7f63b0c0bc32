package node

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/store"
)

// opinions are what each member says of every segment; a member that is not in it
// does not answer.
type opinions map[ident.PublicKey]opinion

type opinion struct {
	state ledger.State
	clock time.Time
	vote  ident.PrivateKey // signs the answer
	nonce *[16]byte        // instead of the one asked with
}

// fakeWitnesses answers for the members of a vault.
type fakeWitnesses struct {
	vault *ledgertest.Vault
	says  opinions
	asked int
}

func (w *fakeWitnesses) at(node ident.PublicKey) witness { return fakeWitness{w, node} }

// fakeWitness is one member, which knows of no other charter and no release.
type fakeWitness struct {
	*fakeWitnesses
	node ident.PublicKey
}

func (w fakeWitness) Segments(_ context.Context, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error) {
	o, ok := w.says[w.node]
	if !ok || vault != w.vault.ID() {
		return ident.Signed{}, errors.New("no answer")
	}
	m, _ := w.vault.Charter.MemberByNode(w.node)
	if o.nonce != nil {
		nonce = *o.nonce
	}
	a := ledger.Segments{Vault: vault, Charter: vault, Nonce: nonce, Operator: m.Operator, Clock: ledger.Millis(o.clock)}
	for _, s := range segments {
		a.States = append(a.States, ledger.SegmentState{Segment: s, State: o.state})
	}
	return ledger.SignSegments(o.vote, a)
}

func (w fakeWitness) Successions(context.Context, ident.CID, int64) ([][]byte, error) {
	return nil, nil
}

func (w fakeWitness) Released(context.Context, ident.CID, int64, int) ([][]byte, error) {
	return nil, nil
}

func (w fakeWitness) Standing(context.Context, ident.CID, [16]byte, []ident.CID) (ident.Signed, error) {
	return ident.Signed{}, ledger.ErrUnknownRequest
}

// say makes everybody's opinion, which a test then changes.
func (b *bench) say(states ...ledger.State) opinions {
	says := opinions{}
	for i, s := range states {
		m := b.vault.Members[i]
		says[m.Node.Public()] = opinion{state: s, clock: b.clock.now(), vote: m.Vote}
	}
	return says
}

func (b *bench) releaser(w witnesses) *releaser {
	newest := &charters{volume: b.volume, witnesses: w, log: b.node.log}
	return &releaser{volume: b.volume, charters: newest, witnesses: w, stamp: b.shelf.stamp, log: b.node.log}
}

const (
	unknown   = ledger.SegmentUnknown
	locked    = ledger.SegmentLocked
	certified = ledger.SegmentCertified
)

// One row for each way in which members can answer. There are 4: f = 1, q = 3, and
// n-q+f+1 = 3 must know nothing.
func TestLettingGo(t *testing.T) {
	long := bookHold + time.Hour
	for name, c := range map[string]struct {
		says          []ledger.State
		edit          func(b *bench, says opinions, node ident.PublicKey, o opinion) // of the first
		wait          time.Duration
		gone, certain bool
	}{
		"all know nothing":           {says: []ledger.State{unknown, unknown, unknown, unknown}, gone: true},
		"enough know nothing":        {says: []ledger.State{unknown, unknown, unknown}, gone: true},
		"too few answer":             {says: []ledger.State{unknown, unknown}},
		"nobody answers":             {},
		"one holds a lock":           {says: []ledger.State{locked, unknown, unknown, unknown}},
		"the last one holds a lock":  {says: []ledger.State{unknown, unknown, unknown, locked}},
		"one has certified it":       {says: []ledger.State{certified, unknown, unknown, unknown}, certain: true},
		"the only one has certified": {says: []ledger.State{certified}, certain: true},
		"certified and locked":       {says: []ledger.State{locked, certified}, certain: true},
		"too early":                  {says: []ledger.State{unknown, unknown, unknown, unknown}, wait: bookHold},
		"a member's clock is behind": {says: []ledger.State{unknown, unknown, unknown}, edit: func(b *bench, says opinions, node ident.PublicKey, o opinion) {
			o.clock = o.clock.Add(-2 * time.Hour)
			says[node] = o
		}},
		"one signs with another key": {says: []ledger.State{unknown, unknown, unknown}, edit: func(b *bench, says opinions, node ident.PublicKey, o opinion) {
			o.vote = ledgertest.Key("x")
			says[node] = o
		}},
		"one repeats an old answer": {says: []ledger.State{unknown, unknown, unknown}, edit: func(b *bench, says opinions, node ident.PublicKey, o opinion) { o.nonce = &[16]byte{1}; says[node] = o }},
		"a false certificate's claim": {says: []ledger.State{certified, unknown, unknown, unknown}, gone: true, edit: func(b *bench, says opinions, node ident.PublicKey, o opinion) {
			o.vote = ledgertest.Key("x")
			says[node] = o
		}},
	} {
		b := newBench(t, 4)
		s, g := b.session(), segment(t, 10_000, 1)
		k := b.mustPut(s, g, 0)
		if _, err := receipt(t, b, s, nonce, ref(g, 0)); err != nil {
			t.Fatal(err)
		}
		if c.wait == 0 {
			c.wait = long
		}
		b.clock.advance(c.wait)
		w := &fakeWitnesses{vault: b.vault, says: b.say(c.says...)}
		if c.edit != nil {
			first := b.vault.Members[0].Node.Public()
			c.edit(b, w.says, first, w.says[first])
		}
		must(t, b.releaser(w).sweep(t.Context()))
		r, known := b.record(k)
		if b.has(k) == c.gone || known == c.gone || r.Certified != c.certain {
			t.Errorf("%s: on the shelf %v, in the book %v, certified %v", name, b.has(k), known, r.Certified)
		}
	}
}

// What is certified is never asked about again, and what was let go leaves the quota.
func TestSweepOfManyShards(t *testing.T) {
	b := newBench(t, 4)
	s := b.session()
	var keys []store.Key
	for i := range 5 {
		g := segment(t, 1000, uint64(i))
		for j := range 3 {
			keys = append(keys, b.mustPut(s, g, j))
		}
	}
	must(t, b.parts().book.certified(b.vault.ID(), []ident.CID{keys[0].Segment}))
	b.clock.advance(bookHold + time.Hour)
	fresh := b.mustPut(s, segment(t, 1000, 99), 0)
	w := &fakeWitnesses{vault: b.vault, says: b.say(unknown, unknown, unknown, unknown)}
	must(t, b.releaser(w).sweep(t.Context()))
	for i, k := range keys {
		if b.has(k) != (i < 3) {
			t.Errorf("shard %d: %v", i, b.has(k))
		}
	}
	if !b.has(fresh) {
		t.Error("a shard whose time has not come is gone")
	}
	if u := b.parts().book.used(b.vault.ID(), s.peer); u.Shards != 4 {
		t.Errorf("%+v", u)
	}
}

// A shard that is put again while the members are asked stays.
func TestPutWhileAsking(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 10_000, 1)
	k := b.mustPut(s, g, 0)
	b.clock.advance(bookHold + time.Hour)
	w := &busyWitnesses{fakeWitnesses{vault: b.vault, says: b.say(unknown, unknown, unknown, unknown)}, func() { b.mustPut(s, g, 0) }}
	must(t, b.releaser(w).sweep(t.Context()))
	if !b.has(k) {
		t.Error("gone")
	}
}

// A shard that is due, and on its way in once more, stays.
func TestSweepWhilePutting(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 10_000, 1)
	k := b.mustPut(s, g, 0)
	b.clock.advance(bookHold + time.Hour)
	w := &fakeWitnesses{vault: b.vault, says: b.say(unknown, unknown, unknown, unknown)}
	row, swept := bytes.NewReader(g.Rows[0]), false
	err := s.Put(t.Context(), nonce, 0, g.Descriptor, readerFunc(func(p []byte) (int, error) {
		if !swept {
			swept = true
			must(t, b.releaser(w).sweep(t.Context()))
			if !b.has(k) {
				t.Error("let go")
			}
		}
		return row.Read(p)
	}))
	if err != nil || !swept || !b.has(k) {
		t.Errorf("%v, swept %v, there %v", err, swept, b.has(k))
	}
}

// busyWitnesses does something before one of them answers.
type busyWitnesses struct {
	fakeWitnesses
	before func()
}

func (w *busyWitnesses) at(node ident.PublicKey) witness {
	if node == w.vault.Members[0].Node.Public() {
		return busyWitness{fakeWitness{&w.fakeWitnesses, node}, w.before}
	}
	return w.fakeWitnesses.at(node)
}

type busyWitness struct {
	fakeWitness
	before func()
}

func (w busyWitness) Segments(ctx context.Context, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error) {
	w.before()
	return w.fakeWitness.Segments(ctx, vault, nonce, segments)
}

// Without a volume nothing is judged, and without a charter nothing is let go.
func TestSweepWithoutVolumeOrCharter(t *testing.T) {
	b := newBench(t, 4)
	w := &fakeWitnesses{vault: b.vault, says: b.say(unknown, unknown, unknown, unknown)}
	k := shardKey("no charter", 1, 0)
	must(t, b.parts().book.arrived(k, deviceA, nonce, 1, nil))
	b.clock.advance(bookHold + time.Hour)
	must(t, b.releaser(w).sweep(t.Context()))
	if _, known := b.record(k); !known {
		t.Error("a shard of a vault without a charter was let go")
	}
	b.wipe()
	if err := b.releaser(w).sweep(t.Context()); !errors.Is(err, store.ErrPaused) {
		t.Error(err)
	}
}

// Law: whatever the members say, a shard goes only if n-q+f+1 of them signed that
// they know nothing, with a clock past its time, and nobody knows something.
func TestVerdicts(t *testing.T) {
	states := []ledger.State{unknown, locked, certified}
	for n := 1; n <= 7; n++ {
		for mask := range 1 << (2 * n) {
			verdicts, s := map[ident.CID]verdict{}, shardKey("v", 1, 0).Segment
			var said []ledger.State
			for i := range n {
				if v := mask >> (2 * i) & 3; v < 3 {
					said = append(said, states[v])
					tally(ledger.Segments{Clock: 10, States: []ledger.SegmentState{{Segment: s, State: states[v]}}}, verdicts)
				}
			}
			v := verdicts[s]
			silent := !slices.Contains(said, locked) && !slices.Contains(said, certified)
			goes := v.certified == 0 && !v.locked && v.unknownAfter(9) >= ledger.Proven(n)
			if goes != (silent && len(said) >= ledger.Proven(n)) || v.unknownAfter(10) > 0 {
				t.Fatalf("%d members say %v: %v", n, said, goes)
			}
		}
	}
}
