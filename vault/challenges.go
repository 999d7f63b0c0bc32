package vault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/vault/index"
)

// drawnAtOnce is how many shards are drawn from one bucket of a holder's inventory, if the
// others have as many.
const drawnAtOnce = 4

// drawChallenges draws what each holder is asked to show: groups of random shards. What the
// shards must be is in their segments' descriptors.
func (c rollCall) drawChallenges(ctx context.Context, m *custody.Map, rolls []roll, expected []custody.Digests) error {
	drawn := make([][]custody.Shard, len(rolls))
	var segments []ident.CID
	for i, r := range rolls {
		drawn[i] = draw(m, r.holder, &expected[r.holder], c.samples)
		for _, shard := range drawn[i] {
			segments = append(segments, shard.Segment)
		}
	}
	descriptors, err := c.descriptors(ctx, segments)
	if err != nil {
		return fmt.Errorf("choose what holders are asked for: %w", err)
	}
	for i := range rolls {
		for _, shard := range drawn[i] {
			if d, ok := descriptors[shard.Segment]; ok && shard.Index < len(d.Shards) {
				rolls[i].challenges = append(rolls[i].challenges, newChallenge(d, shard))
			}
		}
	}
	return nil
}

// newChallenge asks for a random group of a shard.
func newChallenge(d erasure.Descriptor, shard custody.Shard) shardrpc.Challenge {
	size := d.RowSize()
	return shardrpc.Challenge{
		Ref: shardrpc.Ref{Segment: shard.Segment, Index: shard.Index}, Group: rand.Int64N(store.Groups(size)),
		Shard: d.Shards[shard.Index], Size: size,
	}
}

// draw returns random shards of a holder, none twice, out of random parts of its
// inventory: so many, or all that it has.
func draw(m *custody.Map, holder int, has *custody.Digests, want int) []custody.Shard {
	var filled []int
	for b, digest := range has.Buckets {
		if digest != [ident.HashSize]byte{} {
			filled = append(filled, b)
		}
	}
	rand.Shuffle(len(filled), func(i, j int) { filled[i], filled[j] = filled[j], filled[i] })
	var out, left []custody.Shard
	for _, b := range filled {
		rows := m.Bucket(holder, b)
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for i, row := range rows {
			if i < drawnAtOnce {
				out = append(out, row.Shard())
			} else if len(left) < want {
				left = append(left, row.Shard())
			}
		}
		if len(out) >= want {
			return out[:want]
		}
	}
	return append(out, left[:min(len(left), want-len(out))]...)
}

// descriptors returns what segments are made of, from the index or, of lanes that this
// device has never read from, from the bodies of the entries.
func (s *Session) descriptors(ctx context.Context, segments []ident.CID) (map[ident.CID]erasure.Descriptor, error) {
	out := map[ident.CID]erasure.Descriptor{}
	wanted := map[ident.CID]bool{}
	for _, id := range segments {
		seg, known, err := s.index.Segment(id)
		if err != nil {
			return nil, err
		}
		if !known {
			wanted[id] = true
			continue
		}
		if out[id], err = erasure.ParseDescriptor(seg.Descriptor); err != nil {
			return nil, err
		}
	}
	if len(wanted) == 0 {
		return out, nil
	}
	return out, s.readDescriptors(ctx, wanted, out)
}

// readDescriptors finds the entries that have introduced segments, and reads their bodies.
func (s *Session) readDescriptors(ctx context.Context, wanted map[ident.CID]bool, out map[ident.CID]erasure.Descriptor) error {
	for _, lane := range s.lanesOf() {
		for _, l := range s.history.lanes[lane] {
			in := s.history.introduced.entries[l.CID]
			if !in.introducesAny(wanted) {
				continue
			}
			segs, err := s.fullSegments(ctx, l, in.first)
			if err != nil {
				return err
			}
			for _, seg := range segs {
				if out[seg.CID], err = erasure.ParseDescriptor(seg.Descriptor); err != nil {
					return err
				}
			}
			if err := s.index.AddSegments(l.CID, segs); err != nil && !errors.Is(err, index.ErrCorrupt) {
				return err
			}
		}
	}
	return nil
}

// introducesAny reports whether one of some segments is among an entry's.
func (in introduced) introducesAny(wanted map[ident.CID]bool) bool {
	for rows := in.rows; len(rows) > 0; {
		var row placedRow
		if row, rows = nextRow(rows); wanted[row.segment] {
			return true
		}
	}
	return false
}
