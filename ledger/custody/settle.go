package custody

import (
	"cmp"
	"slices"

	"holdfast/internal/ident"
)

// Claim is a later receipt for one shard of a segment.
type Claim struct {
	Index   int
	Holder  int       // who has signed it, by number
	Time    int64     // ms, the receipt's
	Receipt ident.CID // its name
}

// Settle finds out who holds the shards of a segment: held says who did after its commit,
// and becomes what the claims make of it, one after the other in the order of their times,
// and of their names where those are equal. It returns, for each shard, which of the
// claims counts, now sorted, or -1. Of an operator's claims for one shard the last is
// taken. Most is how many shards an operator may hold; by a claim he gets no more than
// that, so that one who signs for every shard displaces no more of the others than he
// could have held.
//
// All who know the same claims come to the same end, whatever the order in which they
// heard of them.
func (m *Map) Settle(held []int, claims []Claim, most int) []int {
	slices.SortFunc(claims, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Receipt.Compare(b.Receipt), cmp.Compare(a.Index, b.Index))
	})
	last := m.last(claims)
	by := slices.Repeat([]int{-1}, len(held))
	for i, c := range claims {
		if c.Index < 0 || c.Index >= len(held) || c.Holder == Nowhere || last[m.claimed(c)] != i {
			continue
		}
		if m.share(held, c) < most {
			held[c.Index], by[c.Index] = c.Holder, i
		}
	}
	return by
}

// claimed is a shard that an operator claims.
type claimed struct {
	index    int
	operator ident.PublicKey
}

func (m *Map) claimed(c Claim) claimed { return claimed{c.Index, m.holders[c.Holder].Operator} }

// last returns the last claim of each operator for each shard.
func (m *Map) last(claims []Claim) map[claimed]int {
	last := make(map[claimed]int, len(claims))
	for i, c := range claims {
		if c.Holder != Nowhere {
			last[m.claimed(c)] = i
		}
	}
	return last
}

// share counts the shards that the operator of a claim holds besides the one it is for.
func (m *Map) share(held []int, c Claim) int {
	n, operator := 0, m.holders[c.Holder].Operator
	for i, h := range held {
		if i != c.Index && h != Nowhere && m.holders[h].Operator == operator {
			n++
		}
	}
	return n
}
