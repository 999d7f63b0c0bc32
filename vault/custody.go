package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"holdfast/erasure"
	"holdfast/internal/ident"
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
	rows, err := s.custodyRows(ctx)
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
	var held []int
	for _, r := range rows {
		row, _ := nextRow(r.row)
		if s.releases.segments[row.segment] {
			continue
		}
		held = held[:0]
		for shard := range row.shards() {
			h := custody.Nowhere
			if n := row.at(shard); n != nobody {
				h = numbers[n]
			}
			held = append(held, h)
		}
		code := erasure.Code{K: row.k, N: len(held)}
		if !code.Valid() || row.size < 1 || row.size > erasure.MaxSegment {
			continue // no member certifies one
		}
		m.Add(custody.Segment{CID: row.segment, Code: code, RowSize: code.RowSize(row.size), Held: held})
	}
	return m, s.moveIn(m)
}

func custodian(h index.Holder) custody.Holder {
	return custody.Holder{Node: h.Node, Operator: h.Operator, Zone: h.Zone}
}

// custodyRow is a segment's row with the beginning of its name, by which it is sorted.
type custodyRow struct {
	key uint64
	row []byte
}

func (r custodyRow) compare(t custodyRow) int {
	if c := cmp.Compare(r.key, t.key); c != 0 {
		return c
	}
	return bytes.Compare(r.row[:ident.HashSize], t.row[:ident.HashSize])
}

// custodyRows lists the rows of all segments of all lanes, sorted by their names: a map
// that is filled in order is filled fast. Names are spread evenly, so that two halves are
// sorted at the same time.
func (s *Session) custodyRows(ctx context.Context) ([]custodyRow, error) {
	var low, high []custodyRow
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
			for rows := in.rows; len(rows) > 0; {
				begin := rows
				_, rows = nextRow(rows)
				r := custodyRow{binary.BigEndian.Uint64(begin), begin[:len(begin)-len(rows)]}
				if r.key < 1<<63 {
					low = append(low, r)
				} else {
					high = append(high, r)
				}
			}
		}
	}
	var group sync.WaitGroup
	group.Go(func() { slices.SortFunc(low, custodyRow.compare) })
	slices.SortFunc(high, custodyRow.compare)
	group.Wait()
	return append(low, high...), nil
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
