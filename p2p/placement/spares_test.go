package placement

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
)

// Spares never break the law, whichever of them is taken, and are complete.
func TestSpares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, code := network(t), lawful(t)
		seed := seeded(rapid.Uint64().Draw(t, "seed"))
		placed, _ := Choose(seed, 0, code, nodes)
		shard := rapid.IntRange(0, code.N-1).Draw(t, "shard")
		limit := Share(code, Operators(nodes))
		spares := Spares(seed, 0, code, nodes, placed, shard)
		others := newLoad(nodes, placed, shard)
		zone := LawOf(code, nodes).InZone(code.N)
		for i, c := range nodes {
			want := c.Takes() && others.op[c.Operator] < limit && others.zone[c.Zone] < zone
			if slices.Contains(spares, i) != want {
				t.Fatalf("candidate %d is a spare: %v, want %v", i, !want, want)
			}
		}
		for i := 1; i < len(spares); i++ {
			if others.operator(nodes, spares[i-1]) > others.operator(nodes, spares[i]) {
				t.Fatal("a loaded operator stands before a free one")
			}
		}
		if !slices.Equal(spares, Spares(seed, 0, code, nodes, placed, shard)) {
			t.Fatal("not deterministic")
		}
	})
}

// Losing one holder after another, each replaced by the first spare, ends in a
// placement that is as lawful as the first.
func TestSparesOneAfterAnother(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	code := erasure.Code{K: 4, N: 8}
	nodes := plain(14)
	placed, err := Choose(seeded(9), 0, code, nodes)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		shard := r.IntN(code.N)
		nodes[placed[shard]].Space = 0
		spares := Spares(seeded(9), 0, code, nodes, placed, shard)
		if len(spares) == 0 {
			t.Fatal("no spare left")
		}
		placed[shard] = spares[0]
		for _, n := range newLoad(nodes, placed, -1).op {
			if n > 1 {
				t.Fatalf("an operator holds %d shards", n)
			}
		}
	}
	nodes[placed[0]].Space = 0
	if s := Spares(seeded(9), 0, code, nodes, placed, 0); len(s) != 0 {
		t.Errorf("no operator is left, spares %v", s)
	}
}

// Placed indexes that name nothing are gaps, not panics.
func TestSparesOfNonsense(t *testing.T) {
	if s := Spares([32]byte{}, -1, erasure.Code{K: 1, N: 2}, plain(2), []int{-7, 99}, 5); len(s) != 2 {
		t.Errorf("spares %v", s)
	}
	if s := Spares([32]byte{}, 0, erasure.Code{K: 1, N: 2}, nil, nil, 0); len(s) != 0 {
		t.Errorf("spares of nobody: %v", s)
	}
}
