package placement

import (
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
)

// Over many segments equal nodes get equal numbers of each shard index, and of all.
func TestBalance(t *testing.T) {
	const segments = 4000
	code := erasure.Code{K: 2, N: 4}
	nodes := plain(10)
	var total [10]int
	var data [10]int
	for s := range segments {
		placed, err := Choose(seeded(42), s, code, nodes)
		if err != nil {
			t.Fatal(err)
		}
		for shard, i := range placed {
			total[i]++
			if shard < code.K {
				data[i]++
			}
		}
	}
	for i := range nodes {
		if want := segments * 4 / 10; total[i] < want*9/10 || total[i] > want*11/10 {
			t.Errorf("node %d holds %d shards, about %d expected", i, total[i], want)
		}
		if want := segments * 2 / 10; data[i] < want*8/10 || data[i] > want*12/10 {
			t.Errorf("node %d holds %d data shards, about %d expected", i, data[i], want)
		}
	}
}

// With one shard to give, turns are in proportion to space: among operators, and
// among one operator's nodes.
func TestWeights(t *testing.T) {
	const segments = 8000
	nodes := []Candidate{
		{Node: key('n', 0), Operator: key('o', 0), Space: 1 << 40, Weight: Full},
		{Node: key('n', 1), Operator: key('o', 1), Space: 3 << 40, Weight: Full},
		{Node: key('n', 2), Operator: key('o', 2), Space: 3 << 40, Weight: Full},
		{Node: key('n', 3), Operator: key('o', 2), Space: 1 << 40, Weight: Full},
	}
	var first [4]int
	for s := range segments {
		r := rank(lots{seeded(7), s}, nodes, func(int) bool { return true })
		first[r[0].nodes[0].node]++
	}
	for i, want := range []int{segments / 8, segments * 3 / 8, segments * 3 / 8, segments / 8} {
		if first[i] < want*9/10 || first[i] > want*11/10 {
			t.Errorf("node %d comes first %d times, about %d expected", i, first[i], want)
		}
	}
}

// An operator who boasts gets no more than his one shard, and no more turns than
// somebody with a petabyte.
func TestClaimsAreBounded(t *testing.T) {
	weigh := func(space int64, standing int) uint64 { return Candidate{Space: space, Weight: standing}.weight() }
	if weigh(1<<62, Full) != weigh(maxWeight, Full) || weigh(-5, Full) != 0 || weigh(3, Full) != 3 {
		t.Error("space is not bounded")
	}
	if weigh(1<<40, 1<<30) != weigh(1<<40, Full) || weigh(1<<40, 0) != 0 || weigh(1<<40, -1) != 0 || weigh(1<<40, 50) != 1<<40*50/Full || weigh(1, 1) != 1 {
		t.Error("standing is not bounded")
	}
}

// age is -log2 of a uniform number: known points, and monotone.
func TestAge(t *testing.T) {
	for _, c := range []struct{ x, want uint64 }{
		{0, 64 << fraction}, {1, 63 << fraction}, {1<<63 - 1, 1 << fraction}, {1<<64 - 1, 1},
	} {
		if got := age(c.x); got != c.want {
			t.Errorf("age(%#x) = %#x, want %#x", c.x, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		if a < b && age(a) < age(b) {
			t.Fatalf("age(%d) < age(%d)", a, b)
		}
	})
}
