package ledger

import (
	"cmp"
	"maps"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// MostShards returns how many shards of one segment an operator may hold, where so
// many operators are admitted.
//
// SPEC: at most one shard per operator (fewer operators than n: never more than n-k)
func MostShards(code erasure.Code, operators int) int {
	if operators >= code.N {
		return 1
	}
	return code.N - code.K
}

// Away returns how many operators a commit must be able to lose.
//
// SPEC: after taking away any max(f, 1) operators
func (c Charter) Away() int { return max(c.Faults(), 1) }

// Withstands returns how many operators may be gone, whichever they are, so that k
// shards are left; -1 if there are fewer than k. Shards counts them by operator.
func Withstands(shards map[ident.PublicKey]int, k int) int {
	away := 0
	for away <= len(shards) && Left(shards, away) >= k {
		away++
	}
	return away - 1
}

// Left returns how many shards of a segment are left at least when any so many
// operators are gone. Shards counts them by operator.
func Left(shards map[ident.PublicKey]int, away int) int {
	counts := slices.SortedFunc(maps.Values(shards), func(a, b int) int { return cmp.Compare(b, a) })
	left := 0
	for _, n := range counts[min(away, len(counts)):] {
		left += n
	}
	return left
}
