package node

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/storetest"
)

// scribes are members who say who holds a shard: each a node and since when.
type scribes struct {
	*bench
	says map[ident.PublicKey]scribe // by member's node; one that is not there is silent
}

type scribe struct {
	at     ident.PublicKey
	since  time.Time
	vote   ident.PrivateKey
	edit   func(*ledger.Placed)
	charge ident.CID
}

type oneScribe struct {
	*scribes
	node ident.PublicKey
}

func (s oneScribe) Placed(_ context.Context, vault ident.CID, nonce [16]byte, shards []ledger.ShardName) (ident.Signed, error) {
	say, ok := s.says[s.node]
	if !ok {
		return ident.Signed{}, errors.New("no answer")
	}
	m, _ := s.vault.Charter.MemberByNode(s.node)
	p := ledger.Placed{Vault: vault, Charter: say.charge, Nonce: nonce, Operator: m.Operator, Clock: ledger.Millis(s.clock.now())}
	for _, sh := range shards {
		one := ledger.PlacedShard{Segment: sh.Segment, Index: sh.Index, Node: say.at}
		if !say.at.IsZero() {
			one.Time = ledger.Millis(say.since)
		}
		p.Shards = append(p.Shards, one)
	}
	if say.edit != nil {
		say.edit(&p)
	}
	return ledger.SignPlaced(say.vote, p)
}

// testifies is a new holder that proves all, or answers as it is told.
type testifies struct {
	outcomes func(n int) []shardrpc.Outcome
	err      error
	asked    *[]shardrpc.Challenge
}

func (t testifies) Audit(_ context.Context, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error) {
	*t.asked = append(*t.asked, challenges...)
	if t.err != nil {
		return nil, t.err
	}
	if t.outcomes != nil {
		return t.outcomes(len(challenges)), nil
	}
	return make([]shardrpc.Outcome, len(challenges)), nil // shardrpc.Proved
}

// away is a shard on this node's shelf, and another node, which holds it by the word of
// all four members since long ago.
type away struct {
	*bench
	*surrender
	scribes *scribes
	other   ident.PublicKey
	segment storetest.Segment
	key     store.Key
	asked   []shardrpc.Challenge
	proves  testifies
	doubts  error
}

func newAway(t *testing.T) *away {
	b := newBench(t, 4)
	a := &away{bench: b, segment: segment(t, 200_000, 1), other: b.vault.Members[2].Node.Public()}
	a.key = b.mustPut(b.session(), a.segment, 1)
	must(t, b.parts().book.certified(b.vault.ID(), []ident.CID{a.segment.CID}))
	b.clock.advance(48 * time.Hour)
	a.scribes = &scribes{bench: b, says: map[ident.PublicKey]scribe{}}
	for _, m := range b.vault.Members {
		a.scribes.says[m.Node.Public()] = scribe{at: a.other, since: b.clock.now().Add(-25 * time.Hour), vote: m.Vote, charge: b.vault.Charter.CID()}
	}
	a.proves.asked = &a.asked
	a.surrender = (&surrender{
		volume: b.volume, charters: &charters{volume: b.volume, witnesses: &fakeWitnesses{vault: b.vault}, log: b.node.log}, self: b.me.Node.Public(),
		members: func(node ident.PublicKey) placer { return oneScribe{a.scribes, node} },
		prover: func(_ ledger.Chain, node ident.PublicKey) prover {
			if node != a.other {
				t.Errorf("node %v is asked for proof", node)
			}
			return a.proves
		},
		doubt: func() error { return a.doubts }, after: 24 * time.Hour, dropped: func() {}, stamp: b.shelf.stamp, log: b.node.log,
	}).start()
	return a
}

// edit changes what the first members say.
func (a *away) edit(members int, f func(*scribe)) {
	for _, m := range a.vault.Members[:members] {
		s := a.scribes.says[m.Node.Public()]
		f(&s)
		a.scribes.says[m.Node.Public()] = s
	}
}

// One row for each reason to keep a copy. There are 4 members: q = 3.
func TestWhatLeavesAsMoved(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(a *away)
		gone    bool
	}{
		"all name another, which proves it": {func(a *away) {}, true},
		"a quorum does":                     {func(a *away) { delete(a.scribes.says, a.vault.Members[3].Node.Public()) }, true},
		"too few answer": {func(a *away) {
			delete(a.scribes.says, a.vault.Members[3].Node.Public())
			delete(a.scribes.says, a.vault.Members[1].Node.Public())
		}, false},
		"two name another":             {func(a *away) { a.edit(2, func(s *scribe) { s.at = a.me.Node.Public() }) }, false},
		"they name different ones":     {func(a *away) { a.edit(2, func(s *scribe) { s.at = a.vault.Members[3].Node.Public() }) }, false},
		"they name this one":           {func(a *away) { a.edit(4, func(s *scribe) { s.at = a.me.Node.Public() }) }, false},
		"they name nobody":             {func(a *away) { a.edit(4, func(s *scribe) { s.at = ident.PublicKey{} }) }, false},
		"it moved within the grace":    {func(a *away) { a.edit(2, func(s *scribe) { s.since = a.clock.now().Add(-23 * time.Hour) }) }, false},
		"another charter is in force":  {func(a *away) { a.edit(2, func(s *scribe) { s.charge = a.segment.CID }) }, false},
		"two sign with another key":    {func(a *away) { a.edit(2, func(s *scribe) { s.vote = a.vault.Members[3].Vote }) }, false},
		"two answer an older question": {func(a *away) { a.edit(2, func(s *scribe) { s.edit = func(p *ledger.Placed) { p.Nonce[0] ^= 1 } }) }, false},
		"the new holder is silent":     {func(a *away) { a.proves.err = rpc.ErrTimeout }, false},
		"the new holder has lost it":   {func(a *away) { a.proves.outcomes = answers(shardrpc.Proved, shardrpc.Missing) }, false},
		"the new holder lies":          {func(a *away) { a.proves.outcomes = answers(shardrpc.Lied, shardrpc.Proved) }, false},
		"it answers half": {func(a *away) {
			a.proves.outcomes = func(int) []shardrpc.Outcome { return []shardrpc.Outcome{shardrpc.Proved} }
		}, false},
		"the clock is in doubt": {func(a *away) { a.doubts = errors.New("in doubt") }, false},
		"the copy is younger": {func(a *away) {
			must(a.t, a.parts().book.arriving(a.key))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAway(t)
			c.prepare(a)
			must(t, a.run(t.Context()))
			if a.has(a.key) == c.gone {
				t.Errorf("the shard is there: %v", !c.gone)
			}
			if _, known := a.record(a.key); known == c.gone {
				t.Errorf("the book knows it: %v", known)
			}
			if _, buried, err := a.parts().book.tomb(a.key); err != nil || buried {
				t.Errorf("it has a tombstone: %v, %v", buried, err)
			}
		})
	}
}

func answers(list ...shardrpc.Outcome) func(int) []shardrpc.Outcome {
	return func(int) []shardrpc.Outcome { return list }
}

// SPEC: that node passes an audit challenge of >= 2 groups by this holder itself.
func TestTwoDifferentGroupsAreProved(t *testing.T) {
	a := newAway(t)
	must(t, a.run(t.Context()))
	size := int64(len(a.segment.Rows[1]))
	if len(a.asked) != 2 || a.asked[0].Group == a.asked[1].Group {
		t.Fatalf("asked for %v", a.asked)
	}
	for _, c := range a.asked {
		if c.Ref != ref(a.segment, 1) || c.Shard != a.segment.Parsed.Shards[1] || c.Size != size || c.Group < 0 || c.Group >= store.Groups(size) {
			t.Errorf("asked for %+v", c)
		}
	}
	for groups := int64(1); groups < 6; groups++ {
		for range 20 {
			p := pick(groups)
			if int64(len(p)) != min(groups, proofGroups) || len(p) > 1 && p[0] == p[1] {
				t.Fatalf("of %d groups %v are chosen", groups, p)
			}
		}
	}
}

// What is put again, or promised, while the new holder proves it stays.
func TestMovedShardThatComesBackMeanwhile(t *testing.T) {
	a := newAway(t)
	a.proves.outcomes = func(n int) []shardrpc.Outcome {
		must(t, a.parts().book.promise([]store.Key{a.key}, a.clock.now().Add(30*24*time.Hour), func() error { return nil }))
		return make([]shardrpc.Outcome, n)
	}
	must(t, a.run(t.Context()))
	if !a.has(a.key) {
		t.Error("it is gone")
	}
}

// SPEC: within the deletion budget.
func TestMovedWithinTheBudget(t *testing.T) {
	a := newAway(t)
	second := a.segment.Key(a.vault.ID(), 2)
	must(t, put(t.Context(), a.session(), nonce, a.segment, 2))
	a.clock.advance(25 * time.Hour)
	a.budget = int64(len(a.segment.Rows[1])) + 1
	must(t, a.run(t.Context()))
	if a.has(a.key) || !a.has(second) {
		t.Errorf("there: %v and %v", a.has(a.key), a.has(second))
	}
	a.clock.advance(25 * time.Hour)
	must(t, a.run(t.Context()))
	if a.has(second) {
		t.Error("the next day it is still there")
	}
}

// A shard that was let go of may be put again.
func TestMovedShardMayComeBack(t *testing.T) {
	a := newAway(t)
	must(t, a.run(t.Context()))
	a.mustPut(a.session(), a.segment, 1)
	if !a.has(a.key) {
		t.Error("it was not taken")
	}
}

// The pages go through all vaults and all shards, and begin again.
func TestPagesOfMovedShards(t *testing.T) {
	a := newAway(t)
	other := store.Key{Vault: ident.SumDagCBOR([]byte("another vault")), Segment: a.segment.CID, Index: 1}
	must(t, a.parts().book.found(other, 10))
	a.clock.advance(25 * time.Hour)
	seen := map[store.Key]int{}
	for range 4 {
		keys, err := a.page(t.Context())
		must(t, err)
		for _, k := range keys {
			seen[k]++
			if k.Vault != keys[0].Vault {
				t.Error("a page of two vaults")
			}
		}
	}
	if len(seen) != 2 || seen[a.key] != 2 || seen[other] != 2 {
		t.Errorf("seen %v", seen)
	}
}

// What is on a disk that is away stays, and keeps nothing else from leaving.
func TestMovedShardsWhileADiskIsAway(t *testing.T) {
	a := newAway(t)
	path := a.addDisk("two")
	g := segment(t, 200_000, 2)
	onTwo := a.mustPut(a.session(), g, 1)
	must(t, a.parts().book.certified(a.vault.ID(), []ident.CID{g.CID}))
	a.clock.advance(48 * time.Hour)
	must(t, os.Rename(path, path+".away"))
	must(t, a.bench.volume.watch(t.Context()))
	must(t, a.run(t.Context()))
	_, away := a.record(onTwo)
	if _, here := a.record(a.key); !away || here {
		t.Errorf("what is away is known: %v; what is here is still here: %v", away, here)
	}
}
