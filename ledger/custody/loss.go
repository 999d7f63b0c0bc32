package custody

import (
	"bytes"
	"cmp"
	"slices"

	"holdfast/internal/ident"
)

// Loss says which holders are gone, and which single shards. It belongs to the Map that
// made it, and to its clones. A nil Loss is none.
type Loss struct {
	m      *Map
	gone   []bool // by the holders' numbers
	shards []Shard
}

// Loss makes one in which nothing is lost yet.
func (m *Map) Loss() *Loss { return &Loss{m: m} }

// Holder says that a holder is gone, by number.
func (l *Loss) Holder(number int) {
	if number < 0 {
		return
	}
	for len(l.gone) <= number {
		l.gone = append(l.gone, false)
	}
	l.gone[number] = true
}

// Node says that a node is gone. It returns how many holders that are, 0 for a node that
// the Map does not know.
func (l *Loss) Node(node ident.PublicKey) int {
	return l.where(func(h Holder) bool { return h.Node == node })
}

// Operator says that an operator is gone with all his nodes, of which it returns the
// number.
func (l *Loss) Operator(operator ident.PublicKey) int {
	return l.where(func(h Holder) bool { return h.Operator == operator })
}

// Zone says that all nodes in a zone are gone, and returns their number.
func (l *Loss) Zone(zone string) int {
	return l.where(func(h Holder) bool { return h.Zone == zone })
}

func (l *Loss) where(lost func(Holder) bool) int {
	n := 0
	for i, h := range l.m.holders {
		if lost(h) {
			l.Holder(i)
			n++
		}
	}
	return n
}

// Shard says that one shard is gone, whoever holds it.
func (l *Loss) Shard(segment ident.CID, index int) {
	l.shards = append(l.shards, Shard{segment, index})
}

// lostShard is a single shard, by the hash in its segment's name.
type lostShard struct {
	hash  [ident.HashSize]byte
	index int
}

// sorted returns the single shards in the order of a Map.
func (l *Loss) sorted() []lostShard {
	if l == nil || len(l.shards) == 0 {
		return nil
	}
	shards := make([]lostShard, len(l.shards))
	for i, s := range l.shards {
		shards[i] = lostShard{s.Segment.Hash(), s.Index}
	}
	slices.SortFunc(shards, func(a, b lostShard) int {
		return cmp.Or(bytes.Compare(a.hash[:], b.hash[:]), cmp.Compare(a.index, b.index))
	})
	return slices.Compact(shards)
}

// lives returns for each number as it is stored whether what it holds is there; nowhere
// is not.
func (l *Loss) lives(holders int) []bool {
	lives := make([]bool, nowhere+1)
	for i := range holders {
		lives[i] = l == nil || i >= len(l.gone) || !l.gone[i]
	}
	return lives
}
