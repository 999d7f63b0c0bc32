package seal

import (
	"encoding/binary"
	"fmt"

	"holdfast/internal/ident"
)

// Form of an index part.
const (
	indexHeaderSize  = 32
	indexSegmentSize = 48
	indexChunkSize   = 52
	indexMagic       = "hfindx1\x00"
	indexVersion     = 1
)

func indexSize(segments, chunks int64) int64 {
	return indexHeaderSize + segments*indexSegmentSize + chunks*indexChunkSize
}

// Encode returns the index part's plaintext, padded. The error is ErrMalformed if
// the rows are not in order or cannot be.
func (x Index) Encode() ([]byte, error) {
	if err := x.check(); err != nil {
		return nil, fmt.Errorf("encode index: %w", err)
	}
	n := Padme(indexSize(int64(len(x.Segments)), int64(len(x.Chunks))))
	p := make([]byte, 0, n)
	p = append(p, indexMagic...)
	p = binary.LittleEndian.AppendUint32(p, indexVersion)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(x.Segments)))
	p = binary.LittleEndian.AppendUint32(p, uint32(len(x.Chunks)))
	p = append(p, make([]byte, 12)...)
	for _, s := range x.Segments {
		var cid [ident.CIDSize]byte
		if s.Segment.Defined() {
			copy(cid[:], s.Segment.Bytes())
		}
		p = append(p, cid[:]...)
		p = binary.LittleEndian.AppendUint32(p, s.Header)
		p = binary.LittleEndian.AppendUint64(p, s.Size)
	}
	for _, c := range x.Chunks {
		p = append(p, c.ID[:]...)
		p = binary.LittleEndian.AppendUint32(p, c.Segment)
		p = appendPlace(p, c.Row)
	}
	return p[:n], nil
}

// ParseIndex reads the plaintext of an index part. The error is ErrMalformed or
// ErrVersion. It takes memory for rows that are there, whatever the header says.
func ParseIndex(p []byte) (Index, error) {
	x, err := parseIndex(p)
	if err == nil {
		err = x.check()
	}
	if err != nil {
		return Index{}, fmt.Errorf("read index: %w", err)
	}
	return x, nil
}

func parseIndex(p []byte) (Index, error) {
	if len(p) < indexHeaderSize || string(p[:8]) != indexMagic {
		return Index{}, fmt.Errorf("%w: no index", ErrMalformed)
	}
	if v := binary.LittleEndian.Uint32(p[8:]); v != indexVersion {
		return Index{}, fmt.Errorf("%w: index version %d", ErrVersion, v)
	}
	segments, chunks := int64(binary.LittleEndian.Uint32(p[12:])), int64(binary.LittleEndian.Uint32(p[16:]))
	n := indexSize(segments, chunks)
	if n > int64(len(p)) {
		return Index{}, fmt.Errorf("%w: %d and %d rows in %d bytes", ErrMalformed, segments, chunks, len(p))
	}
	if !isZero(p[20:indexHeaderSize]) || !isZero(p[n:]) {
		return Index{}, fmt.Errorf("%w: bytes that must be zero", ErrMalformed)
	}
	x := Index{Segments: make([]IndexSegment, segments), Chunks: make([]IndexChunk, chunks)}
	p = p[indexHeaderSize:]
	for i := range x.Segments {
		var err error
		if x.Segments[i], err = parseIndexSegment(p[:indexSegmentSize]); err != nil {
			return Index{}, fmt.Errorf("segment row %d: %w", i, err)
		}
		p = p[indexSegmentSize:]
	}
	for i := range x.Chunks {
		r, err := parsePlace(p[:32], p[36:indexChunkSize])
		if err != nil {
			return Index{}, fmt.Errorf("chunk row %d: %w", i, err)
		}
		x.Chunks[i] = IndexChunk{r, binary.LittleEndian.Uint32(p[32:])}
		p = p[indexChunkSize:]
	}
	return x, nil
}

func parseIndexSegment(p []byte) (IndexSegment, error) {
	s := IndexSegment{
		Header: binary.LittleEndian.Uint32(p[ident.CIDSize:]),
		Size:   binary.LittleEndian.Uint64(p[ident.CIDSize+4:]),
	}
	if isZero(p[:ident.CIDSize]) {
		return s, nil
	}
	c, err := ident.CIDFromBytes(p[:ident.CIDSize])
	if err != nil {
		return IndexSegment{}, fmt.Errorf("%w (%w)", ErrMalformed, err)
	}
	s.Segment = c
	return s, nil
}

func isZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
