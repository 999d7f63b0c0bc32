package ledger

import (
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Segment is a new segment of a body, read.
type Segment struct {
	CID        ident.CID
	Descriptor erasure.Descriptor
	Encoded    []byte // the descriptor as received
	Placement  []byte // for shard i the row of the body's holders, or Nowhere
}

// ParseSegments reads the descriptors of b and checks that the placement of each
// fits it and the holders, and that no segment is there twice.
func (b SnapshotBody) ParseSegments() ([]Segment, error) {
	segments := make([]Segment, 0, len(b.Segments))
	seen := make(map[ident.CID]bool, len(b.Segments))
	for i, n := range b.Segments {
		s, err := n.parse(len(b.Holders))
		if err != nil {
			return nil, fmt.Errorf("segment %d: %w", i, err)
		}
		if seen[s.CID] {
			return nil, fmt.Errorf("segment %d: %w: in the same body", i, ErrIntroduced)
		}
		seen[s.CID] = true
		segments = append(segments, s)
	}
	return segments, nil
}

func (n NewSegment) parse(holders int) (Segment, error) {
	d, err := erasure.ParseDescriptor(n.Descriptor)
	if err != nil {
		return Segment{}, err
	}
	// SPEC: p has n bytes: for shard i the row of holders, or 255 for none
	if len(n.Placement) != len(d.Shards) {
		return Segment{}, fmt.Errorf("%w: %d bytes for %d shards", ErrPlacement, len(n.Placement), len(d.Shards))
	}
	for i, row := range n.Placement {
		if row != Nowhere && int(row) >= holders {
			return Segment{}, fmt.Errorf("%w: shard %d is with holder %d of %d", ErrPlacement, i, row, holders)
		}
	}
	return Segment{ident.SumDagCBOR(n.Descriptor), d, n.Descriptor, n.Placement}, nil
}
