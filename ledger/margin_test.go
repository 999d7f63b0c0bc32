package ledger_test

import (
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// For every number of operators: a commit with one shard for each of them keeps k
// shards without any max(f, 1) of them, and so it does while max(f, 1) are missing
// less what the code leaves.
func TestMarginByOperators(t *testing.T) {
	for n := 2; n <= 24; n++ {
		code, err := erasure.ForOperators(n)
		if err != nil {
			t.Fatal(err)
		}
		shards := map[ident.PublicKey]int{}
		for i := range code.N {
			shards[ident.PublicKey{1, byte(i)}] = 1
		}
		away := max(ledger.Faults(n), 1)
		if left := ledger.Left(shards, away); left < code.K {
			t.Errorf("%d operators, code %v: %d left without %d", n, code, left, away)
		}
		if most := ledger.MostShards(code, n); most != 1 {
			t.Errorf("%d operators, code %v: %d shards with one", n, code, most)
		}
	}
}

func TestMostShards(t *testing.T) {
	for _, c := range []struct {
		code      erasure.Code
		operators int
		want      int
	}{
		{erasure.Code{K: 4, N: 8}, 8, 1}, {erasure.Code{K: 4, N: 8}, 9, 1}, {erasure.Code{K: 4, N: 8}, 7, 4},
		{erasure.Code{K: 1, N: 2}, 1, 1}, {erasure.Code{K: 1, N: 3}, 2, 2},
	} {
		if got := ledger.MostShards(c.code, c.operators); got != c.want {
			t.Errorf("code %v, %d operators: %d", c.code, c.operators, got)
		}
	}
}

// Law: Left is what the worst choice of operators leaves.
func TestLeftIsTheWorstCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 8).Draw(t, "counts")
		away := rapid.IntRange(0, 9).Draw(t, "away")
		shards, total := map[ident.PublicKey]int{}, 0
		for i, n := range counts {
			shards[ident.PublicKey{1, byte(i)}] = n
			total += n
		}
		worst := total
		for choice := range 1 << len(counts) {
			gone, left := 0, total
			for i, n := range counts {
				if choice>>i&1 == 1 {
					gone, left = gone+1, left-n
				}
			}
			if gone <= away {
				worst = min(worst, left)
			}
		}
		if got := ledger.Left(shards, away); got != worst {
			t.Fatalf("%v without %d: %d, want %d", counts, away, got, worst)
		}
	})
}
