package member

import (
	"encoding/binary"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// introduction is where a segment comes from.
type introduction struct {
	entry      ident.CID
	number     int64 // in its lane
	descriptor []byte
}

const introductionHead = ident.CIDSize + 8

// introduction returns which entry introduces a segment; false if none does.
func (x index) introduction(segment ident.CID) (introduction, bool, error) {
	p := x.get(segmentsBucket, segment.Bytes())
	if p == nil {
		return introduction{}, false, nil
	}
	if len(p) < introductionHead {
		return introduction{}, false, fmt.Errorf("read segment %s: %w", segment, ErrCorrupt)
	}
	id, err := ident.CIDFromBytes(p[:ident.CIDSize])
	return introduction{id, int64(binary.BigEndian.Uint64(p[ident.CIDSize:])), p[introductionHead:]}, true, err
}

// introduce writes down the segments of an entry, which get the numbers from first
// on. A segment that a certified entry introduces stays that entry's.
func (x index) introduce(entry ident.CID, segments []ledger.Segment, first int64) error {
	for i, s := range segments {
		in, known, err := x.introduction(s.CID)
		if err != nil {
			return err
		}
		if known && in.entry != entry {
			if err := x.put(contestedBucket, s.CID.Bytes(), []byte{}); err != nil {
				return err
			}
		}
		state, _, err := x.state(s.CID)
		if err != nil {
			return err
		}
		if state == ledger.SegmentCertified {
			continue
		}
		v := slices.Concat(entry.Bytes(), number(first+int64(i)), s.Encoded)
		if err := x.put(segmentsBucket, s.CID.Bytes(), v); err != nil {
			return err
		}
	}
	return nil
}

// state returns what is known of a segment, and the lane of the entry that
// introduces it. An entry that is not certified counts until one above it is: until
// then a later attempt may bring it back.
func (x index) state(segment ident.CID) (ledger.State, ident.PublicKey, error) {
	in, ok, err := x.introduction(segment)
	if err != nil || !ok {
		return ledger.SegmentUnknown, ident.PublicKey{}, err
	}
	r, ok, err := x.entry(in.entry)
	if err != nil || !ok {
		return ledger.SegmentUnknown, ident.PublicKey{}, err
	}
	if r.Certified {
		return ledger.SegmentCertified, r.Lane, nil
	}
	head, _, err := x.head(r.Lane)
	if err != nil || r.Height < head {
		return ledger.SegmentUnknown, ident.PublicKey{}, err
	}
	return ledger.SegmentLocked, r.Lane, nil
}
