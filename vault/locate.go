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

// locate says where a segment's shards are now, from the index. Readers may call it at
// once.
func (s *Session) locate(segment ident.CID) (object.Location, error) {
	seg, ok, err := s.index.Segment(segment)
	if err != nil {
		return object.Location{}, err
	}
	if !ok {
		return object.Location{}, fmt.Errorf("locate segment %.8s: %w", segment.Hex(), object.ErrUnknownChunk)
	}
	if len(seg.Moves) == 0 {
		return location(seg)
	}
	l, err := location(seg)
	if err == nil {
		l.Nodes = s.placedNow(l.Nodes, seg.Moves, int(l.Descriptor.K))
	}
	return l, err
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
		s.history.holders.know(index.Holder{Node: c.Node, Operator: c.Operator, Zone: c.Zone, Name: c.Name, Serial: c.Serial})
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

// numbered is a lane's segments by their numbers, as its entries introduce them, with
// their shards where they are now.
// What loadIndex returns is without descriptors; these are in the index.
type numbered struct {
	segments []index.Segment
	metas    map[ident.CID]ident.CID // entry -> its metadata segment
}

// laneSegments reads the bodies of a lane up to a height, all of them, and enters
// its segments into the index.
func (s *Session) laneSegments(ctx context.Context, lane ident.PublicKey, upto int64) (numbered, error) {
	s.settle()
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
	return out, s.moveTo(out.segments)
}

// introducedBy returns what an entry introduced. Its body is read once in this
// machine's life; first is the number of its first segment in the lane.
func (s *Session) introducedBy(ctx context.Context, l Link, first int64) ([]index.Segment, error) {
	if segs, known := s.history.introduced.get(l); known {
		return segs, nil
	}
	segs, err := s.fullSegments(ctx, l, first)
	if err == nil {
		s.history.introduce(l.CID, segs)
	}
	return segs, err
}

// fullSegments reads an entry's body.
func (s *Session) fullSegments(ctx context.Context, l Link, first int64) ([]index.Segment, error) {
	b, err := s.snapshotBody(ctx, l)
	if err != nil {
		return nil, err
	}
	return s.segmentsOf(l, b, first)
}

// loadIndex makes sure that the index knows every chunk of a lane up to a height: it
// reads the index parts that it has not taken in yet, from the nodes. Parts that are
// out of reach are in missing, and the rest goes on.
func (s *Session) loadIndex(ctx context.Context, r *object.Reader, lane ident.PublicKey, upto int64) (n numbered, missing, err error) {
	s.settle()
	n = numbered{metas: map[ident.CID]ident.CID{}}
	var entries []ident.CID
	links := s.history.lanes[lane][:min(upto, s.history.height(lane))]
	for _, l := range links {
		entries = append(entries, l.CID)
	}
	done, err := s.index.DoneAll(entries)
	if err != nil {
		return n, nil, err
	}
	for i, l := range links {
		if l.Entry.Kind != ledger.KindSnapshot {
			continue
		}
		first := int64(len(n.segments))
		segs, err := s.introducedBy(ctx, l, first)
		if err != nil {
			return n, nil, err
		}
		n.segments = append(n.segments, segs...)
		n.metas[l.CID] = segs[len(segs)-1].CID
		if done[i] || s.releases.segments[n.metas[l.CID]] {
			continue // what listed its chunks is let go of with all that it listed
		}
		absent, err := s.takeInIndex(ctx, r, l, first)
		if err != nil {
			return n, nil, err
		}
		missing = errors.Join(missing, absent)
	}
	return n, missing, s.moveTo(n.segments)
}

// takeInIndex enters one entry's segments and chunks into the index. What is out of
// reach is absent.
func (s *Session) takeInIndex(ctx context.Context, r *object.Reader, l Link, first int64) (absent, err error) {
	segs, err := s.fullSegments(ctx, l, first)
	if err != nil {
		return nil, err
	}
	if err := s.index.AddSegments(l.CID, segs); err != nil {
		return nil, err
	}
	meta := segs[len(segs)-1].CID
	x, err := r.Index(ctx, meta)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return fmt.Errorf("index of entry %.8s: %w", l.CID.Hex(), err), nil
	}
	return nil, s.index.AddCommit(l.CID, l.Entry.Lane, meta, x)
}
