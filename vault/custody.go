package vault

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"holdfast/erasure"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/vault/index"
)

// custody says who holds what of the vault: every segment that the entries introduce and
// nobody has let go of, where its shards are now. It is what the ledger says, as of the
// last Sync; whether the holders have it is asked by Status. A body that this machine has
// never read is read from the members.
func (s *Session) custody(ctx context.Context) (*custody.Map, error) {
	s.settle()
	entries, err := s.introducing(ctx)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	m := custody.New()
	for _, member := range s.charter.Members { // whether it holds anything yet or not
		m.Holder(custodian(s.holderOf(member.Node)))
	}
	numbers := make([]int, len(s.history.introduced.nodes))
	for i, node := range s.history.introduced.nodes {
		numbers[i] = m.Holder(custodian(s.holderOf(node)))
	}
	half := len(entries) / 2 // two processors are enough
	m.Fill(s.placed(entries[:half], numbers), s.placed(entries[half:], numbers))
	return m, s.moveIn(m)
}

// introducing returns the rows of all entries of all lanes, entry by entry.
func (s *Session) introducing(ctx context.Context) ([]introduced, error) {
	var entries []introduced
	for _, lane := range s.lanesOf() {
		number := int64(0)
		for _, l := range s.history.lanes[lane] {
			if l.Entry.Kind != ledger.KindSnapshot {
				continue
			}
			in, err := s.introduction(ctx, l, number)
			if err != nil {
				return nil, err
			}
			number += int64(in.count)
			entries = append(entries, in)
		}
	}
	return entries, nil
}

// placed yields the segments that entries introduce and nobody has let go of, as their
// entries place them. Numbers are those that a map has given to the nodes that the rows
// count. The holders of a segment are valid until the next one.
func (s *Session) placed(entries []introduced, numbers []int) iter.Seq[custody.Segment] {
	released := s.releases.segments
	return func(yield func(custody.Segment) bool) {
		var held [erasure.MaxShards]int
		for _, in := range entries {
			for rows := in.rows; len(rows) > 0; {
				var row placedRow
				row, rows = nextRow(rows)
				code := erasure.Code{K: row.k, N: row.shards()}
				if !code.Valid() || row.size < 1 || row.size > erasure.MaxSegment || released[row.segment] {
					continue // of what is not valid no member certifies one
				}
				row.holders(held[:code.N], numbers)
				if !yield(custody.Segment{CID: row.segment, Code: code, RowSize: code.RowSize(row.size), Held: held[:code.N]}) {
					return
				}
			}
		}
	}
}

func custodian(h index.Holder) custody.Holder {
	return custody.Holder{Node: h.Node, Operator: h.Operator, Zone: h.Zone}
}

// introduction returns the rows of what an entry introduced, from its body if that has
// not been read before.
func (s *Session) introduction(ctx context.Context, l Link, first int64) (introduced, error) {
	if in, known := s.history.introduced.entries[l.CID]; known {
		return in, nil
	}
	if _, err := s.introducedBy(ctx, l, first); err != nil {
		return introduced{}, err
	}
	return s.history.introduced.entries[l.CID], nil
}

// moveIn brings a map up to where the shards are now.
func (s *Session) moveIn(m *custody.Map) error {
	var moves []index.Move
	for move, err := range s.index.Moves() {
		if err != nil {
			return fmt.Errorf("look up where shards are now: %w", err)
		}
		if len(moves) > 0 && moves[0].Segment != move.Segment {
			s.moveSegment(m, moves)
			moves = moves[:0]
		}
		moves = append(moves, move)
	}
	if len(moves) > 0 {
		s.moveSegment(m, moves)
	}
	return nil
}

func (s *Session) moveSegment(m *custody.Map, moves []index.Move) {
	seg, ok := m.Find(moves[0].Segment)
	if !ok {
		return // it is released, or its entry is not here
	}
	before := slices.Clone(seg.Held)
	s.settleMoves(m, seg.Held, moves, seg.Code.K)
	for shard, h := range seg.Held {
		if h != before[shard] {
			m.Move(seg.CID, shard, h)
		}
	}
}
