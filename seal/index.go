package seal

import (
	"fmt"
	"math"

	"holdfast/internal/ident"
)

// Index lists the chunks that a commit introduced and where each is stored.
type Index struct {
	Segments []IndexSegment
	Chunks   []IndexChunk // sorted by segment, then by offset
}

// IndexSegment is a segment that holds chunks of the commit.
type IndexSegment struct {
	Segment ident.CID // the zero CID is the metadata segment that holds this index
	Header  uint32    // length of the sealed section's age header
	Size    uint64    // length of the sealed section: of part A, for a metadata segment
}

// IndexChunk is a row of a section's directory with the section it belongs to.
type IndexChunk struct {
	Row
	Segment uint32 // index into Segments
}

// check reports what no index can be: it is asked before an index is written and
// after one was read.
func (x Index) check() error {
	if int64(len(x.Segments)) > math.MaxUint32 || int64(len(x.Chunks)) > math.MaxUint32 {
		return fmt.Errorf("%w: too many rows", ErrMalformed)
	}
	ends, err := x.sectionEnds()
	if err != nil {
		return err
	}
	segment, last := uint32(0), int64(0)
	for i, c := range x.Chunks {
		if err := c.Row.check(); err != nil {
			return fmt.Errorf("chunk row %d: %w", i, err)
		}
		if uint64(c.Segment) >= uint64(len(ends)) || c.Segment < segment {
			return fmt.Errorf("chunk row %d: %w: segment row %d", i, ErrMalformed, c.Segment)
		}
		if c.Segment > segment {
			segment, last = c.Segment, 0
		}
		if int64(c.Offset) < last || c.end() > ends[segment] {
			return fmt.Errorf("chunk row %d: %w: it overlaps, is out of order, or ends behind its section", i, ErrMalformed)
		}
		last = c.end()
	}
	return nil
}

// sectionEnds checks the segment rows and returns where the chunks of each have to
// end, from what its sealed length allows.
func (x Index) sectionEnds() ([]int64, error) {
	ends := make([]int64, len(x.Segments))
	seen := make(map[ident.CID]bool, len(x.Segments))
	for i, s := range x.Segments {
		if s.Segment.Defined() && s.Segment.Codec() != ident.DagCBOR || seen[s.Segment] {
			return nil, fmt.Errorf("segment row %d: %w: %v is no segment, or stands there twice", i, ErrMalformed, s.Segment)
		}
		seen[s.Segment] = true
		n, ok := plainSize(int64(min(s.Size, MaxSealed+1)), int64(s.Header))
		if !ok || n < footerSize {
			return nil, fmt.Errorf("segment row %d: %w: %d sealed bytes with a header of %d", i, ErrMalformed, s.Size, s.Header)
		}
		ends[i] = n - footerSize
	}
	return ends, nil
}
