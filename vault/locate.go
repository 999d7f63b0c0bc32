package vault

import (
	"context"
	"errors"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault/index"
	"holdfast/vault/object"
)

// locate says where a segment's shards are, from the index.
func (s *Session) locate(segment ident.CID) (object.Location, error) {
	seg, ok, err := s.index.Segment(segment)
	if err != nil {
		return object.Location{}, err
	}
	if !ok {
		return object.Location{}, fmt.Errorf("locate segment %.8s: %w", segment.Hex(), object.ErrUnknownChunk)
	}
	return location(seg)
}

func location(seg index.Segment) (object.Location, error) {
	d, err := erasure.ParseDescriptor(seg.Descriptor)
	if err != nil {
		return object.Location{}, err
	}
	return object.Location{Descriptor: d, Nodes: seg.Nodes}, nil
}

// snapshotBody returns the parsed body of a snapshot entry.
func (s *Session) snapshotBody(ctx context.Context, l Link) (ledger.SnapshotBody, error) {
	p, err := s.Body(ctx, l)
	if err != nil {
		return ledger.SnapshotBody{}, err
	}
	return ledger.ParseSnapshotBody(p)
}

// segmentsOf turns an entry's body into the index's form; first is the number of its
// first segment in the lane.
func (s *Session) segmentsOf(l Link, b ledger.SnapshotBody, first int64) ([]index.Segment, error) {
	var nodes []ident.PublicKey
	for _, h := range b.Holders {
		c, err := ledger.VerifyNodeCertificate(h)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, c.Node)
		s.operators[c.Node] = c.Operator
	}
	var out []index.Segment
	for i, n := range b.Segments {
		seg := index.Segment{
			CID: ident.SumDagCBOR(n.Descriptor), Lane: l.Entry.Lane, Entry: l.CID, Number: first + int64(i),
			Descriptor: n.Descriptor, Nodes: make([]ident.PublicKey, len(n.Placement)), Meta: i == len(b.Segments)-1,
		}
		for shard, at := range n.Placement {
			if int(at) < len(nodes) {
				seg.Nodes[shard] = nodes[at]
			}
		}
		out = append(out, seg)
	}
	return out, nil
}

// numbered is a lane's segments by their numbers, as its entries introduce them.
type numbered struct {
	segments []index.Segment
	metas    map[ident.CID]ident.CID // entry -> its metadata segment
}

// laneSegments reads the bodies of a lane up to a height and enters its segments
// into the index.
func (s *Session) laneSegments(ctx context.Context, lane ident.PublicKey, upto int64) (numbered, error) {
	out := numbered{metas: map[ident.CID]ident.CID{}}
	for _, l := range s.history.lanes[lane][:min(upto, s.history.height(lane))] {
		if l.Entry.Kind != ledger.KindSnapshot {
			continue
		}
		b, err := s.snapshotBody(ctx, l)
		if err != nil {
			return out, err
		}
		segs, err := s.segmentsOf(l, b, int64(len(out.segments)))
		if err != nil {
			return out, err
		}
		if _, known, err := s.index.Segment(segs[0].CID); err != nil {
			return out, err
		} else if !known {
			if err := s.index.AddSegments(l.CID, segs); err != nil {
				return out, err
			}
		}
		out.metas[l.CID] = segs[len(segs)-1].CID
		out.segments = append(out.segments, segs...)
	}
	return out, nil
}

// loadIndex makes sure that the index knows every chunk of a lane up to a height: it
// reads the index parts that it has not taken in yet, from the nodes. Parts that are
// out of reach are in missing, and the rest goes on.
func (s *Session) loadIndex(ctx context.Context, r *object.Reader, lane ident.PublicKey, upto int64) (n numbered, missing, err error) {
	n, err = s.laneSegments(ctx, lane, upto)
	if err != nil {
		return n, nil, err
	}
	for _, l := range s.history.lanes[lane][:min(upto, s.history.height(lane))] {
		meta, ok := n.metas[l.CID]
		if !ok {
			continue
		}
		done, err := s.index.Done(l.CID)
		if err != nil {
			return n, nil, err
		}
		if done {
			continue
		}
		x, err := r.Index(ctx, meta)
		if err != nil {
			if ctx.Err() != nil {
				return n, nil, err
			}
			missing = errors.Join(missing, fmt.Errorf("index of entry %.8s: %w", l.CID.Hex(), err))
			continue
		}
		if err := s.index.AddCommit(l.CID, lane, meta, x); err != nil {
			return n, nil, err
		}
	}
	return n, missing, nil
}
