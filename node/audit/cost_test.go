package audit

import (
	"fmt"
	"math"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// SPEC: cost < 5 MB a day for each node and vault. Counted for holders of the largest
// rows, with a kilobyte around each exchange, for any usual number of members.
func TestCostOfADay(t *testing.T) {
	const around = 1 << 10
	row := int64(8 << 20)
	slice := float64(store.Slice{Size: row, Off: 0, N: store.GroupSize}.Len())
	if slice != 16968 {
		t.Errorf("docs/custody.md says 16,968 bytes for a slice, not %.0f", slice)
	}
	for _, members := range []int{2, 4, 8, 20, 40} {
		rounds := float64(day / DefaultEvery)
		perRound := float64(share(DefaultSamples, members, DefaultEvery)) / million
		groups := perRound * rounds * float64(members-1)
		inventories := float64(members-1) * (ledger.InventorySize + around)
		total := groups*slice + rounds*float64(members-1)*around + inventories
		t.Logf("%d members: %.0f groups, %.2f MB a day", members, groups, total/1e6)
		if groups < DefaultSamples-0.01 || total > 5e6 {
			t.Errorf("%d members: %.0f groups, %.2f MB a day", members, groups, total/1e6)
		}
	}
}

// SamplesForOnePercent is the least number that finds one in a hundred with 99 %; at
// default cost it takes less than three days, the lateness of rounds included.
func TestSamplesForOnePercent(t *testing.T) {
	found := func(n int) float64 { return 1 - math.Pow(0.99, float64(n)) }
	if found(SamplesForOnePercent) < 0.99 || found(SamplesForOnePercent-1) >= 0.99 {
		t.Errorf("%d: %v", SamplesForOnePercent, found(SamplesForOnePercent))
	}
	late := float64(DefaultEvery+DefaultEvery/16) / float64(DefaultEvery)
	if days := SamplesForOnePercent / float64(DefaultSamples) * late; days > 3 {
		t.Errorf("%.1f days", days)
	}
}

// All members' shares of a day are the day's samples, or a few more.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		samples, members int
		every            time.Duration
		want             int64
	}{
		{200, 1, day, 200 * million}, {200, 2, day, 200 * million}, {200, 8, day, 29 * million}, {200, 8, 2 * time.Hour, 29 * million / 12},
		{200, 201, day, million}, {200, 255, 2 * time.Hour, million / 12}, {1_000_000_000, 2, 7 * day, 7_000_000_000 * million}, {0, 8, day, 0},
	} {
		if got := share(c.samples, c.members, c.every); max(got-c.want, c.want-got) > c.want/1000+1 {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// Groups are drawn uniformly: a holder with one large shard and many small ones is asked
// for each as often as it has groups.
func TestDrawIsUniformOverGroups(t *testing.T) {
	m := custody.New()
	h := m.Holder(custody.Holder{Node: key("node", 0).Public()})
	add := func(i int, size int64) custody.Shard {
		s := custody.Segment{CID: ident.SumDagCBOR(fmt.Append(nil, i)), Code: erasure.Code{K: 1, N: 2}, RowSize: size, Held: []int{custody.Nowhere, h}}
		m.Add(s)
		return custody.Shard{Segment: s.CID, Index: 1}
	}
	large := add(0, 100*store.GroupSize)
	for i := range 100 {
		add(i+1, 5)
	}
	asked := map[custody.Shard]int{}
	groups := map[int64]bool{}
	for round := range 300 {
		nodes := stocks(m)
		k := nodes[key("node", 0).Public()]
		if k.groups != 200 || k.shards != 101 || k.bytes != 100*store.GroupSize+500 {
			t.Fatalf("%+v", k)
		}
		k.draw(20, randomOf(seed(ident.SumRaw(nil), [32]byte{byte(round), byte(round >> 8)}, key("node", 0).Public())))
		find(m, nodes)
		if len(k.picks) != len(k.places) {
			t.Fatalf("%d of %d were found", len(k.picks), len(k.places))
		}
		for _, p := range k.picks {
			asked[p.Shard]++
			if p.Shard == large {
				groups[p.group] = true
			}
		}
	}
	if got := asked[large]; got < 2500 || got > 3200 || len(groups) < 95 || len(asked) < 95 {
		t.Errorf("the large shard was drawn %d times of about 2,850, in %d groups; %d shards in all", got, len(groups), len(asked))
	}
}

// BenchmarkDraw draws the challenges of one round for 8 holders of a million segments.
func BenchmarkDraw(b *testing.B) {
	m := custody.New()
	held := make([]int, 8)
	for i := range held {
		held[i] = m.Holder(custody.Holder{Node: key("node", i).Public()})
	}
	for i := range 1_000_000 {
		m.Add(custody.Segment{CID: ident.SumDagCBOR(fmt.Append(nil, i)), Code: erasure.Code{K: 4, N: 8}, RowSize: 8 << 20, Held: held})
	}
	for b.Loop() {
		nodes := stocks(m)
		for node, k := range nodes {
			k.draw(3, randomOf(seed(ident.SumRaw(nil), [32]byte{}, node)))
		}
		find(m, nodes)
	}
}

// Weights and reasons, one row for each factor.
func TestWeight(t *testing.T) {
	now := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	old := newReach(ident.PublicKey{}, now.Add(-40*day))
	good := newRecord()
	good.Passed = 1000
	up := func(share int64) (u uptime) {
		for i := range int64(20) {
			u = append(u, uptimeCount{Part: i, Asked: 100, Served: share})
		}
		return u
	}
	for name, c := range map[string]struct {
		change func(r *reach, v *record)
		want   int
		why    string
	}{
		"all is well":            {func(*reach, *record) {}, 1000, ""},
		"new":                    {func(r *reach, _ *record) { r.First = ledger.Millis(now.Add(-20 * day)) }, 50, "new: 100 of 100 audits passed, here for 20 of 21 days"},
		"seldom audited":         {func(_ *reach, v *record) { v.Passed = 99 }, 50, "new: 99 of 100 audits passed, here for 40 of 21 days"},
		"up for four fifths":     {func(r *reach, _ *record) { r.Up = up(80) }, 1000, ""},
		"up for two fifths":      {func(r *reach, _ *record) { r.Up = up(40) }, 500, "served 40 % of the time in the last 30 days, 80 % is enough"},
		"down, for a day so far": {func(r *reach, _ *record) { r.Up = up(0)[:3] }, 1000, ""},
		"one in ten failed":      {func(_ *reach, v *record) { v.Score = 900_000 }, 500, "90.0 % of its latest audits passed"},
		"half failed":            {func(_ *reach, v *record) { v.Score = 500_000 }, leastWeight, "50.0 % of its latest audits passed"},
		"half the transfers":     {func(r *reach, _ *record) { r.Moved = 500_000 }, 750, "50 % of its latest transfers went well"},
		"it has lied": {func(_ *reach, v *record) { v.Score, v.Lies, v.Lied = 900_000, 1, ledger.Millis(now) }, 500,
			"90.0 % of its latest audits passed, and it has sent bytes that are not the shard's, last on 2026-12-31"},
		"two reasons": {func(r *reach, v *record) { r.Up, v.Score = up(40), 900_000 }, 250,
			"90.0 % of its latest audits passed; served 40 % of the time in the last 30 days, 80 % is enough"},
	} {
		r, v := old, good
		c.change(&r, &v)
		if got, why := weight(r, v, RealVetting, now); got != c.want || why != c.why {
			t.Errorf("%s: %d, %q; want %d, %q", name, got, why, c.want, c.why)
		}
	}
}

// A clock that was set back makes nobody new.
func TestWeightAfterAClockWasSetBack(t *testing.T) {
	now := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	v := newRecord()
	v.Passed = 10
	if got, why := weight(newReach(ident.PublicKey{}, now.Add(time.Hour)), v, TestVetting, now); got != ledger.FullWeight {
		t.Errorf("%d: %s", got, why)
	}
}

// What an error means for how a node is reached.
func TestContactOf(t *testing.T) {
	for err, want := range map[error]Contact{
		nil: Served, shardrpc.ErrForbidden: Served, shardrpc.ErrUnknownVault: Served, shardrpc.ErrPaused: Paused,
		shardrpc.ErrBusy: Silent, shardrpc.ErrInternal: Silent, shardrpc.ErrClock: Silent,
	} {
		if got := contactOf(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// FuzzBoardRows: rows of a damaged file are refused or read, and never trusted further.
func FuzzBoardRows(f *testing.F) {
	s := custody.Shard{Segment: ident.SumDagCBOR(nil), Index: 3}
	f.Add(append(place{ident.SumDagCBOR([]byte("vault")), key("node", 1).Public()}.key(), shardKey(s)...), []byte{1})
	f.Fuzz(func(t *testing.T, k, v []byte) {
		e, err := parseEntry(k, v)
		if err != nil {
			return
		}
		if again := append(e.at.key(), shardKey(e.shard)...); string(again) != string(k) {
			t.Errorf("%x comes back as %x", k, again)
		}
	})
}
