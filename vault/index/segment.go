package index

import (
	"encoding/binary"
	"fmt"

	"holdfast/internal/ident"
)

const (
	maxDescriptor   = 16 << 10
	segmentHeadSize = 32 + ident.CIDSize + 8 + 1 + 2
)

// AddSegments takes in the segments that an entry introduced, as its body places
// them: what was known of that before is replaced. Moves stay known.
func (x *Index) AddSegments(entry ident.CID, segments []Segment) error {
	err := x.update(func(t tx) error { return putSegments(t, entry, segments) })
	if err != nil {
		return fmt.Errorf("add segments of entry %v: %w", entry, err)
	}
	return nil
}

func putSegments(t tx, entry ident.CID, segments []Segment) error {
	for _, s := range segments {
		s.Entry = entry
		p, err := s.encode()
		if err != nil {
			return err
		}
		if err := put(t, tableSegments, string(s.CID.Bytes()), p); err != nil {
			return err
		}
	}
	return nil
}

// Segment returns what is known of a segment, its moves included, and whether anything
// is.
func (x *Index) Segment(segment ident.CID) (Segment, bool, error) {
	var s Segment
	var ok bool
	err := x.view(func(t tx) {
		var p []byte
		if p, ok = get(t, tableSegments, string(segment.Bytes())); ok {
			s, ok = decodeSegment(segment, p)
			s.Moves = getMoves(t, segment)
		}
	})
	if err != nil {
		return Segment{}, false, fmt.Errorf("look up segment %v: %w", segment, err)
	}
	return s, ok, nil
}

func (s Segment) encode() ([]byte, error) {
	if !s.CID.Defined() || !s.Entry.Defined() || len(s.Descriptor) > maxDescriptor || len(s.Nodes) > 255 {
		return nil, fmt.Errorf("segment %v of entry %v: not a segment", s.CID, s.Entry)
	}
	p := make([]byte, 0, segmentHeadSize+len(s.Descriptor)+32*len(s.Nodes))
	p = append(p, s.Lane[:]...)
	p = append(p, s.Entry.Bytes()...)
	p = binary.LittleEndian.AppendUint64(p, uint64(s.Number))
	var meta byte
	if s.Meta {
		meta = 1
	}
	p = append(p, meta)
	p = binary.LittleEndian.AppendUint16(p, uint16(len(s.Descriptor)))
	p = append(p, s.Descriptor...)
	for _, n := range s.Nodes {
		p = append(p, n[:]...)
	}
	return p, nil
}

// decodeSegment copies whatever it keeps of p.
func decodeSegment(segment ident.CID, p []byte) (Segment, bool) {
	if len(p) < segmentHeadSize {
		return Segment{}, false
	}
	s := Segment{CID: segment, Lane: ident.PublicKey(p[:32])}
	entry, err := ident.CIDFromBytes(p[32 : 32+ident.CIDSize])
	if err != nil {
		return Segment{}, false
	}
	s.Entry = entry
	p = p[32+ident.CIDSize:]
	s.Number = int64(binary.LittleEndian.Uint64(p))
	s.Meta = p[8] == 1
	d := int(binary.LittleEndian.Uint16(p[9:]))
	p = p[11:]
	if len(p) < d || (len(p)-d)%32 != 0 {
		return Segment{}, false
	}
	s.Descriptor = append([]byte(nil), p[:d]...)
	for p = p[d:]; len(p) > 0; p = p[32:] {
		s.Nodes = append(s.Nodes, ident.PublicKey(p[:32]))
	}
	return s, true
}
