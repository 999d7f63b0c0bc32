package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/node/audit"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/store/storetest"
)

// challenge asks for one group of a shard of a segment.
func challenge(g storetest.Segment, i int, group int64) shardrpc.Challenge {
	return shardrpc.Challenge{Ref: ref(g, i), Group: group, Shard: g.Parsed.Shards[i], Size: g.Parsed.RowSize()}
}

// Shards are proved to devices, to members' nodes and to nodes of operators that the
// charter admits, and to nobody else.
func TestWhoMayAudit(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 100_000, 1)
	b.mustPut(b.session(), g, 0)
	admitted, stranger := ledgertest.Key("node of an admitted operator"), ledgertest.Key("stranger")
	b.shelf.operator = func(_ context.Context, peer ident.PublicKey) ident.PublicKey {
		switch peer {
		case admitted.Public():
			return b.vault.Members[3].Operator.Public()
		case stranger.Public():
			return ledgertest.Key("operator of another vault").Public()
		}
		return ident.PublicKey{}
	}
	key, credential := b.device("reader", ledger.Read)
	for name, c := range map[string]struct {
		peer ident.PublicKey
		cred shardrpc.Credential
		want error
	}{
		"a device":                               {key.Public(), credential, nil},
		"a member's node":                        {b.vault.Members[1].Node.Public(), shardrpc.Credential{}, nil},
		"another node of a member's operator":    {admitted.Public(), shardrpc.Credential{}, nil},
		"a node of an operator of another vault": {stranger.Public(), shardrpc.Credential{}, shardrpc.ErrForbidden},
		"nobody's node":                          {ledgertest.Key("nobody").Public(), shardrpc.Credential{}, shardrpc.ErrForbidden},
	} {
		s, err := b.open(c.peer, c.cred)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		h := shardrpc.Local(s)
		if got, err := h.Audit(t.Context(), []shardrpc.Challenge{challenge(g, 0, 2), challenge(g, 1, 0)}); err != nil ||
			!slices.Equal(got, []shardrpc.Outcome{shardrpc.Proved, shardrpc.Missing}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if c.peer != key.Public() {
			if err := put(t.Context(), s, nonce, g, 1); err == nil && c.peer == admitted.Public() {
				t.Errorf("%s may put", name)
			}
		}
	}
}

// A flood of challenges, or of questions for the inventory, is refused as busy; what was
// used comes back in a minute, and others are not affected.
func TestFloods(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 100_000, 1)
	b.mustPut(b.session(), g, 0)
	s, err := b.open(b.vault.Members[1].Node.Public(), shardrpc.Credential{})
	must(t, err)
	other, err := b.open(b.vault.Members[2].Node.Public(), shardrpc.Credential{})
	must(t, err)
	ask := slices.Repeat([]shardrpc.Challenge{challenge(g, 0, 1)}, shardrpc.MaxChallenges)
	audit := func(s *session) error { _, err := shardrpc.Local(s).Audit(t.Context(), ask); return err }
	for range groupsPerMinute / shardrpc.MaxChallenges {
		must(t, audit(s))
	}
	if err := audit(s); !errors.Is(err, shardrpc.ErrBusy) {
		t.Error("a flood of challenges:", err)
	}
	must(t, audit(other))
	b.clock.advance(30 * time.Second)
	for range groupsPerMinute / shardrpc.MaxChallenges / 2 {
		must(t, audit(s))
	}
	if err := audit(s); !errors.Is(err, shardrpc.ErrBusy) {
		t.Error("half a minute later:", err)
	}
	list := func(s *session) error { _, _, err := s.InventoryBucket(t.Context(), 0, shardrpc.Ref{}); return err }
	for range int(pagesPerMinute / leastPage) {
		must(t, list(s))
	}
	if err := list(s); !errors.Is(err, shardrpc.ErrBusy) {
		t.Error("a flood of pages:", err)
	}
	if _, err := s.Inventory(t.Context(), nonce); !errors.Is(err, shardrpc.ErrBusy) {
		t.Error("and an inventory:", err)
	}
	must(t, list(other))
	b.clock.advance(-time.Hour) // a clock that was set back gives nothing back
	if err := list(s); !errors.Is(err, shardrpc.ErrBusy) {
		t.Error(err)
	}
}

// However many ask, what is counted stays bounded, and who has been quiet is forgotten.
func TestManyAskers(t *testing.T) {
	var a proofAllowances
	now := ledgertest.Start()
	asker := func(i int) account {
		return account{device: ident.NewPrivateKey([32]byte{byte(i), byte(i >> 8), 1}).Public()}
	}
	for i := range maxAskers {
		must(t, a.take(asker(i), 1, 0, now))
	}
	if err := a.take(asker(maxAskers), 1, 0, now); !errors.Is(err, shardrpc.ErrBusy) {
		t.Error(err)
	}
	must(t, a.take(asker(0), 1, 0, now))
	must(t, a.take(asker(maxAskers), 1, 0, now.Add(time.Minute)))
	if len(a.used) > maxAskers {
		t.Errorf("%d are counted", len(a.used))
	}
}

// What the inventory says is what is on the shelf, whatever happened before: what is kept
// of it is never staler than the book.
func TestInventoryFollows(t *testing.T) {
	b := newBench(t, 4)
	s := b.session()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	there := map[store.Key]storetest.Segment{}
	for step := range 120 {
		g := segment(t, 1000, random.Uint64N(40))
		i := random.IntN(4)
		key := g.Key(b.vault.ID(), i)
		switch random.IntN(3) {
		case 0, 1:
			b.mustPut(s, g, i)
			there[key] = g
		default:
			if _, ok := there[key]; ok {
				must(t, b.parts().shelf.Remove(t.Context(), key))
				must(t, b.parts().book.forget(key))
				delete(there, key)
			}
		}
		if step%10 == 0 {
			b.wantInventory(s, there)
		}
	}
	b.wantInventory(s, there)
	// In the trash it is not on the shelf, and back it is.
	for key := range there {
		must(t, b.parts().book.trashed(key, 0, true))
		without := there[key]
		delete(there, key)
		b.wantInventory(s, there)
		must(t, b.parts().book.trashed(key, 0, false))
		there[key] = without
		b.wantInventory(s, there)
		break
	}
}

// wantInventory compares a session's inventory, and its buckets, with what was put.
func (b *bench) wantInventory(s *session, there map[store.Key]storetest.Segment) {
	b.t.Helper()
	m := custody.New()
	me := m.Holder(custody.Holder{Node: b.node.keys.cert.Node})
	held := map[ident.CID]custody.Segment{}
	for key, g := range there {
		seg, ok := held[key.Segment]
		if !ok {
			seg = custody.Segment{CID: key.Segment, Code: erasure.Code{K: 2, N: 4}, RowSize: g.Parsed.RowSize(), Held: slices.Repeat([]int{custody.Nowhere}, 4)}
		}
		seg.Held[key.Index] = me
		held[key.Segment] = seg
	}
	for _, seg := range held {
		m.Add(seg)
	}
	signed, err := s.Inventory(b.t.Context(), nonce)
	must(b.t, err)
	got, err := ledger.VerifyInventory(signed, b.node.keys.cert, b.vault.ID(), nonce)
	want := m.Expected(me)
	if err != nil || got.Shards != int64(len(there)) || got.Bytes != want.Bytes || len(want.Differ(got.Buckets)) != 0 {
		b.t.Fatalf("inventory of %d shards and %d bytes, %d and %d are there, buckets %v differ; %v",
			got.Shards, got.Bytes, len(there), want.Bytes, want.Differ(got.Buckets), err)
	}
	b.clock.advance(time.Minute)
}

// Bit rot in many places is found by one pass, whatever is asked meanwhile: the bad
// copies are in quarantine, and not in the inventory.
func TestScrubFindsRot(t *testing.T) {
	b := newBench(t, 4)
	s := b.session()
	var keys []store.Key
	for seed := range uint64(60) {
		g := segment(t, 20_000, seed)
		keys = append(keys, b.mustPut(s, g, int(seed%4)))
	}
	must(t, b.parts().book.flush())
	rotten := keys[10:35]
	for _, key := range rotten[:20] {
		b.rot(key)
	}
	for _, key := range rotten[20:] {
		must(t, os.Remove(b.shardFile(key)))
	}
	sc := b.scrub()
	must(t, sc.run(t.Context()))
	got := sc.status(t.Context())
	if got.Running || got.Bad != 25 || got.Shards != 60 || got.Skipped != 0 || got.Progress != 1 || got.Finished.IsZero() {
		t.Errorf("%+v", got)
	}
	must(t, b.node.spoiled.run(t.Context()))
	for i, key := range keys {
		_, known := b.record(key)
		if bad := i >= 10 && i < 35; known == bad || b.has(key) == bad {
			t.Errorf("shard %d: in the book %v, on the shelf %v", i, known, b.has(key))
		}
	}
	// The next pass is not due, unless it is asked for; a restart changes nothing.
	again := b.scrub()
	must(t, again.run(t.Context()))
	if now := again.status(t.Context()); now.Started.Sub(got.Started) != 0 || now.Shards != got.Shards {
		t.Errorf("%+v, was %+v", now, got)
	}
	again.hurry()
	must(t, again.run(t.Context()))
	if now := again.status(t.Context()); now.Bad != 0 || now.Shards != 35 {
		t.Errorf("the second pass: %+v", now)
	}
	b.clock.advance(31 * 24 * time.Hour)
	must(t, again.run(t.Context()))
	if now := again.status(t.Context()); !now.Started.After(got.Started.Add(30 * 24 * time.Hour)) {
		t.Errorf("a month later: %+v", now)
	}
}

// A member enters into its board, at once, what it has lost itself of what its ledger
// places with it.
func TestOwnLossesAreEntered(t *testing.T) {
	b, _, _ := newSteward(t)
	m := func() *custody.Map {
		m, err := b.parts().member.Custody(b.vault.ID())
		must(t, err)
		return m
	}
	segments := b.commit(2)
	mine := shardOf(t, m(), segments[0], b.me.Node.Public())
	others := shardOf(t, m(), segments[1], b.vault.Members[1].Node.Public())
	for _, s := range []custody.Shard{mine, others} {
		b.node.spoiled.report(disk.Event{Kind: disk.Lost, Key: store.Key{Vault: b.vault.ID(), Segment: s.Segment, Index: s.Index}})
	}
	must(t, b.node.spoiled.run(t.Context()))
	var missing []audit.Shard
	for s := range b.parts().board.Missing(b.vault.ID()) {
		missing = append(missing, s)
	}
	if len(missing) != 1 || missing[0].Shard != mine || missing[0].Node != b.me.Node.Public() {
		t.Errorf("%+v, want %+v", missing, mine)
	}
}

// A pass that is broken off goes on where it was, also after a restart; while the volume
// is away it waits.
func TestScrubGoesOn(t *testing.T) {
	b := newBench(t, 4)
	s := b.session()
	for seed := range uint64(3 * scrubPage / 2) {
		b.mustPut(s, segment(t, 1000, seed), 0)
	}
	sc := b.scrub()
	must(t, sc.recall(t.Context()))
	if !sc.begin() {
		t.Fatal("no pass is due")
	}
	more, err := sc.page(t.Context())
	if err != nil || !more || sc.status(t.Context()).Shards != scrubPage {
		t.Fatalf("%v, %v, %+v", more, err, sc.status(t.Context()))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sc.run(ended); err == nil {
		t.Error("it goes on although it shall end")
	}
	other := b.scrub()
	if got := other.status(t.Context()); !got.Running || got.Shards != scrubPage {
		t.Errorf("after a restart: %+v", got)
	}
	must(t, other.run(t.Context()))
	if got := other.status(t.Context()); got.Running || got.Shards != 3*scrubPage/2 || got.Bad != 0 {
		t.Errorf("%+v", got)
	}
	must(t, os.WriteFile(filepath.Join(b.dir(), scrubName), []byte("{garbage"), 0o600))
	third := b.scrub()
	must(t, third.run(t.Context()))
	if got := third.status(t.Context()); got.Shards != 3*scrubPage/2 {
		t.Errorf("with a mark that cannot be read: %+v", got)
	}
	b.wipe()
	third.hurry()
	if err := third.run(t.Context()); err != nil || third.status(t.Context()).Finished.IsZero() {
		t.Errorf("without a volume: %v, %+v", err, third.status(t.Context()))
	}
}

func TestScrubRate(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for _, c := range []struct{ configured, used, want int64 }{
		{5, 1 << 50, 5}, {0, 0, leastScrub}, {0, 1 << 40, leastScrub}, {0, 100e12, 48_225_308},
	} {
		if got := scrubRate(c.configured, store.Usage{Used: c.used}, month); got < c.want-1 || got > c.want+1 {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func (b *bench) scrub() *scrub {
	return (&scrub{volume: b.volume, every: defaultScrub, rate: 1 << 40, now: b.clock.now, log: b.node.log}).start()
}

// shardFile is where a shard lies on the disk.
func (b *bench) shardFile(key store.Key) (path string) {
	b.t.Helper()
	name := fmt.Sprintf("%s.%d", key.Segment.Hex(), key.Index)
	must(b.t, filepath.WalkDir(filepath.Join(b.dir(), "shards"), func(at string, _ os.DirEntry, err error) error {
		if filepath.Base(at) == name {
			path = at
		}
		return err
	}))
	if path == "" {
		b.t.Fatalf("no file of %v", key)
	}
	return path
}

// rot flips a bit in the payload of a shard.
func (b *bench) rot(key store.Key) {
	b.t.Helper()
	path := b.shardFile(key)
	p, err := os.ReadFile(path)
	must(b.t, err)
	p[len(p)/2] ^= 1
	must(b.t, os.WriteFile(path, p, 0o600))
}
