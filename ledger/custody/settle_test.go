package custody_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/ledger/custody"
)

// settled is a Map of operators with one node each, but for the last: he has two.
func settled(operators int) *custody.Map {
	m := custody.New()
	for i := range operators {
		m.Holder(custody.Holder{Node: keys[i], Operator: keys[i]})
	}
	m.Holder(custody.Holder{Node: keys[operators], Operator: keys[operators-1]})
	return m
}

func TestSettle(t *testing.T) {
	m := settled(6)
	const none = custody.Nowhere
	for name, c := range map[string]struct {
		held   []int
		most   int
		claims []custody.Claim
		want   []int
	}{
		"a lost shard is somewhere else": {[]int{0, 1, 2, 3}, 1, []custody.Claim{{Index: 1, Holder: 4, Time: 1}}, []int{0, 4, 2, 3}},
		"the newest counts":              {[]int{0, 1, 2, 3}, 1, []custody.Claim{{Index: 1, Holder: 5, Time: 2}, {Index: 1, Holder: 4, Time: 1}}, []int{0, 5, 2, 3}},
		"who has one gets no other":      {[]int{0, 1, 2, 3}, 1, []custody.Claim{{Index: 1, Holder: 0, Time: 1}}, []int{0, 1, 2, 3}},
		"unless his was taken before":    {[]int{0, 1, 2, 3}, 1, []custody.Claim{{Index: 1, Holder: 0, Time: 2}, {Index: 0, Holder: 4, Time: 1}}, []int{4, 0, 2, 3}},
		"to another node of his":         {[]int{0, 1, 2, 5}, 1, []custody.Claim{{Index: 3, Holder: 6, Time: 1}}, []int{0, 1, 2, 6}},
		"his other node has no more":     {[]int{0, 1, 2, 5}, 1, []custody.Claim{{Index: 2, Holder: 6, Time: 1}}, []int{0, 1, 2, 5}},
		"who claims all gets one": {[]int{0, 1, 2, 3}, 1, []custody.Claim{
			{Index: 0, Holder: 4, Time: 9}, {Index: 1, Holder: 4, Time: 9}, {Index: 2, Holder: 4, Time: 9}, {Index: 3, Holder: 4, Time: 9},
		}, []int{4, 1, 2, 3}},
		"and none of what was moved before": {[]int{0, 1, 2, 3}, 1, []custody.Claim{
			{Index: 0, Holder: 4, Time: 9}, {Index: 1, Holder: 4, Time: 9}, {Index: 1, Holder: 5, Time: 1},
		}, []int{4, 5, 2, 3}},
		"more where there are few":        {[]int{0, 1, none, none}, 2, []custody.Claim{{Index: 2, Holder: 0, Time: 1}, {Index: 3, Holder: 0, Time: 2}}, []int{0, 1, 0, none}},
		"no such shard, and no holder":    {[]int{0, 1}, 1, []custody.Claim{{Index: 2, Holder: 3}, {Index: -1, Holder: 3}, {Index: 0, Holder: none}}, []int{0, 1}},
		"of the same time by their names": {[]int{0, 1}, 1, []custody.Claim{{Index: 0, Holder: 3, Receipt: name(1)}, {Index: 0, Holder: 4, Receipt: name(2)}}, []int{3 + ahead(name(1), name(2)), 1}},
		"of one operator the last": {[]int{0, 1, none}, 1, []custody.Claim{
			{Index: 2, Holder: 3, Time: 1}, {Index: 0, Holder: 3, Time: 2}, {Index: 2, Holder: 3, Time: 3},
		}, []int{3, 1, none}},
		"what the commit says stays so": {[]int{0, 0, 0, 1}, 1, []custody.Claim{{Index: 3, Holder: 2, Time: 1}}, []int{0, 0, 0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			held := slices.Clone(c.held)
			by := m.Settle(held, c.claims, c.most)
			if !slices.Equal(held, c.want) {
				t.Errorf("%v, not %v", held, c.want)
			}
			for i, at := range by {
				if at < 0 && held[i] != c.held[i] || at >= 0 && (c.claims[at].Index != i || c.claims[at].Holder != held[i]) {
					t.Errorf("shard %d counts by claim %d", i, at)
				}
			}
		})
	}
}

// ahead is 1 if b is the greater name.
func ahead(a, b ident.CID) int {
	if a.Compare(b) < 0 {
		return 1
	}
	return 0
}

// Whatever some operators sign, they displace no more shards of the others than they may
// hold; and the order in which claims are heard of changes nothing.
func TestClaimsOfLiars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n, operators = 8, 10
		m := settled(operators)
		most := rapid.IntRange(1, 3).Draw(t, "most")
		held := make([]int, n)
		for i := range held {
			held[i] = i
		}
		honest := claims(t, "honest", n, 0, operators-3, 0)
		lies := claims(t, "lies", n, operators-2, operators, 100)
		without, with := slices.Clone(held), slices.Clone(held)
		m.Settle(without, slices.Clone(honest), most)
		all := append(slices.Clone(honest), lies...)
		m.Settle(with, slices.Clone(all), most)
		taken := 0
		for _, h := range with {
			if h >= operators-2 {
				taken++
			}
		}
		if taken > 2*most {
			t.Fatalf("two liars hold %d shards", taken)
		}
		shuffled := slices.Clone(held)
		m.Settle(shuffled, rapid.Permutation(all).Draw(t, "order"), most)
		if !slices.Equal(shuffled, with) {
			t.Fatalf("%v, and in another order %v", with, shuffled)
		}
	})
}

// claims are of holders from one number up to another, each by a receipt of its own.
func claims(t *rapid.T, what string, n, from, to, first int) []custody.Claim {
	out := make([]custody.Claim, rapid.IntRange(0, 20).Draw(t, what))
	for i := range out {
		out[i] = custody.Claim{
			Index: rapid.IntRange(0, n-1).Draw(t, "index"), Holder: rapid.IntRange(from, to).Draw(t, "holder"),
			Time: rapid.Int64Range(0, 5).Draw(t, "time"), Receipt: name(first + i),
		}
	}
	return out
}
