package placement

import (
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Candidate is a node that may be given shards. Its operator counts even when the
// node itself has no space: a vault of eight operators does not become one of
// seven because one of them is full or down.
type Candidate struct {
	Node     ident.PublicKey
	Operator ident.PublicKey
	Zone     string // "" is a zone like any other: nothing is known of it
	Space    int64  // free bytes; 0 or less: takes nothing
	Weight   int    // its standing, in thousandths of what its space alone would bring; 0 or less: takes nothing
}

// Full is the weight of a node against which nothing is known. More than that counts
// as that.
const Full = 1000

// Takes reports whether a node may be given shards.
func (c Candidate) Takes() bool { return c.Space > 0 && c.Weight > 0 }

// ErrTooFew says that a segment cannot be placed whole, and how many more
// operators with free space it would take.
type ErrTooFew struct{ Missing int }

// Error is for people.
func (e ErrTooFew) Error() string {
	return fmt.Sprintf("too few operators with free space: %d more needed", e.Missing)
}

// Operators counts the operators of nodes, with or without free space.
func Operators(nodes []Candidate) int {
	seen := make(map[ident.PublicKey]struct{}, len(nodes))
	for _, c := range nodes {
		seen[c.Operator] = struct{}{}
	}
	return len(seen)
}

// MinOperators returns the smallest number of operators that can hold all shards
// of a code without one of them being able to destroy the segment. For a lawful
// code it is two.
func MinOperators(code erasure.Code) int {
	return divUp(code.N, code.N-code.K)
}

// Share returns the largest number of shards of one segment that one of so many
// operators may hold.
//
// SPEC: at most one shard per operator; fewer operators than n: never more than n-k
// shards per operator. Below that bound shards are dealt out evenly, so that a
// majority of the operators is still needed to destroy them.
func Share(code erasure.Code, operators int) int {
	return min(divUp(code.N, max(operators, 1)), code.N-code.K)
}

// missing returns how many operators with space, joining all of which usable have
// some, would make a placement whole. Each that joins also lowers the even share.
func missing(code erasure.Code, operators, usable int) int {
	for more := 1; ; more++ {
		if (usable+more)*Share(code, operators+more) >= code.N {
			return more
		}
	}
}

func divUp(a, b int) int { return (a + b - 1) / b }
