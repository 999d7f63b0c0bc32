package member

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// numbersOf returns the numbers of segments that certified entries introduce, and
// those of which that is not known here.
func (x index) numbersOf(segments []ident.CID) (ledger.Numbers, []ident.CID, error) {
	byLane := map[ident.PublicKey][]int64{}
	lanes := map[ident.CID]ident.PublicKey{}
	var unknown []ident.CID
	for _, s := range segments {
		in, ok, err := x.introduction(s)
		if err != nil {
			return nil, nil, err
		}
		lane, known := lanes[in.entry]
		if ok && !known {
			rec, certified, err := x.certified(in.entry)
			if err != nil {
				return nil, nil, err
			}
			if known = certified; known {
				lane = rec.Lane
				lanes[in.entry] = lane
			}
		}
		if !known {
			unknown = append(unknown, s)
			continue
		}
		byLane[lane] = append(byLane[lane], in.number)
	}
	n := ledger.Numbers{}
	for lane, list := range byLane {
		n.Add(lane, ledger.NewSpans(list...))
	}
	return n, unknown, nil
}

// stretch is a run of numbers that one entry introduces.
type stretch struct {
	entry ident.CID
	first int64 // the entry's first number
	spans ledger.Spans
}

// stretches cuts numbers into what each entry has introduced: lane by lane, by number,
// from behind a segment on, until there are so many.
func (x index) stretches(n ledger.Numbers, after ident.CID, limit int64) (out []stretch, more bool, err error) {
	lanes := make([]ident.PublicKey, 0, len(n))
	for lane := range n {
		lanes = append(lanes, lane)
	}
	slices.SortFunc(lanes, ident.PublicKey.Compare)
	from, number, err := x.behind(after)
	if err != nil {
		return nil, false, err
	}
	for _, lane := range lanes {
		spans := n[lane]
		switch c := lane.Compare(from); {
		case after.Defined() && c < 0:
			continue
		case after.Defined() && c == 0:
			spans = spans.Minus(counted(number + 1))
		}
		page := spans.First(limit)
		limit -= page.Count()
		more = more || page.Count() < spans.Count()
		for len(page) > 0 {
			var s stretch
			if s, page, err = x.cut(lane, page); err != nil {
				return nil, false, err
			}
			out = append(out, s)
		}
	}
	return out, more, nil
}

// behind returns where a segment stands in its lane.
func (x index) behind(segment ident.CID) (ident.PublicKey, int64, error) {
	if !segment.Defined() {
		return ident.PublicKey{}, 0, nil
	}
	n, unknown, err := x.numbersOf([]ident.CID{segment})
	if err == nil && len(unknown) > 0 {
		err = &ledger.SegmentsError{Err: ledger.ErrNotFree, Segments: unknown}
	}
	for lane, spans := range n {
		return lane, spans[0].First, err
	}
	return ident.PublicKey{}, 0, err
}

// cut takes from a lane's numbers those of the entry that introduces the first.
func (x index) cut(lane ident.PublicKey, spans ledger.Spans) (stretch, ledger.Spans, error) {
	height, _, err := x.head(lane)
	if err != nil {
		return stretch{}, nil, err
	}
	at := 1 + sort.Search(int(height), func(i int) bool {
		_, rec, failed := x.atHeight(lane, int64(i)+1)
		err = errors.Join(err, failed)
		return rec.Count > spans[0].First
	})
	if err != nil {
		return stretch{}, nil, err
	}
	id, rec, err := x.atHeight(lane, int64(at))
	if err != nil {
		return stretch{}, nil, err
	}
	s := stretch{entry: id}
	if at > 1 {
		_, before, err := x.atHeight(lane, int64(at)-1)
		if err != nil {
			return stretch{}, nil, err
		}
		s.first = before.Count
	}
	s.spans = spans.Common(ledger.Spans{{First: s.first, Count: rec.Count - s.first}})
	return s, spans.Minus(s.spans), nil
}

// names returns the segments of stretches. It reads bodies, and no transaction may be
// open here.
func (v *vault) names(list []stretch) ([]ident.CID, error) {
	var out []ident.CID
	for _, s := range list {
		brought, err := v.brought(s.entry)
		if err != nil {
			return nil, err
		}
		for _, run := range s.spans {
			if run.First < s.first || run.End() > s.first+int64(len(brought)) {
				return nil, fmt.Errorf("entry %s: %w: it has %d segments", s.entry, ErrCorrupt, len(brought))
			}
			out = append(out, brought[run.First-s.first:run.End()-s.first]...)
		}
	}
	return out, nil
}
