package index

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/seal"
)

const (
	// batchRows bounds what one transaction keeps in memory.
	batchRows = 1 << 15
	// maxSpots is how many places of one chunk are kept for each lane: the newest.
	maxSpots = 64
)

// AddCommit takes in the index part of an entry's commit; meta is the commit's
// metadata segment, which the index part's zero segment row stands for. It does
// nothing if Done says so already. Nothing of a commit is seen by lookups before
// all of it is there: large ones take several transactions, the last of which
// makes the commit visible and sets Done. After a crash in between, the same call
// goes on without leaving anything twice.
func (x *Index) AddCommit(entry ident.CID, lane ident.PublicKey, meta ident.CID, part seal.Index) error {
	if err := x.addCommit(entry, lane, meta, part); err != nil {
		return fmt.Errorf("add commit of entry %v: %w", entry, err)
	}
	return nil
}

// AddOwn takes in a commit that this device has just made: its segments, the last of
// which is its metadata segment, and its index part; in one transaction if it is
// small.
func (x *Index) AddOwn(entry ident.CID, lane ident.PublicKey, segments []Segment, part seal.Index) error {
	meta := segments[len(segments)-1].CID
	if err := x.addCommit(entry, lane, meta, part, segments...); err != nil {
		return fmt.Errorf("add commit of entry %v: %w", entry, err)
	}
	return nil
}

// addCommit is AddCommit, and adds segments with the first rows.
func (x *Index) addCommit(entry ident.CID, lane ident.PublicKey, meta ident.CID, part seal.Index, segments ...Segment) error {
	for _, c := range part.Chunks {
		if int(c.Segment) >= len(part.Segments) {
			return ErrCommit
		}
	}
	rows := part.Chunks
	for first := true; first || len(rows) > 0; first = false {
		batch := rows[:min(len(rows), batchRows)]
		rows = rows[len(batch):]
		done := false
		err := x.update(func(t tx) error {
			if err := putSegments(t, entry, segments); err != nil {
				return err
			}
			segments = nil
			s, err := begin(t, claims(entry, lane, meta, part.Segments), entry)
			if err != nil || s.done {
				done = s.done
				return err
			}
			if err := addRows(t, s.base, batch); err != nil {
				return err
			}
			s.done = len(rows) == 0
			return putProgress(t, entry, s)
		})
		if err != nil || done {
			return err
		}
	}
	return nil
}

func claims(entry ident.CID, lane ident.PublicKey, meta ident.CID, rows []seal.IndexSegment) []claim {
	list := make([]claim, len(rows))
	for i, r := range rows {
		list[i] = claim{segment: r.Segment, lane: lane, entry: entry, header: r.Header, sealed: r.Size}
		if !r.Segment.Defined() {
			list[i].segment = meta
		}
	}
	return list
}

// begin returns how far the entry has been taken in, and makes its claims if it
// has not been begun.
func begin(t tx, list []claim, entry ident.CID) (progress, error) {
	s, ok := getProgress(t, entry)
	if ok && (s.done || s.count == uint32(len(list))) {
		return s, nil
	}
	base, err := reserve(t, uint32(len(list)))
	if err != nil {
		return s, err
	}
	for i, c := range list {
		if err := put(t, tableClaims, claimKey(base+uint32(i)), c.encode()); err != nil {
			return s, err
		}
	}
	s = progress{base: base, count: uint32(len(list))}
	return s, putProgress(t, entry, s)
}

// addRows adds chunks in the order of their keys, which the tree likes best.
func addRows(t tx, base uint32, rows []seal.IndexChunk) error {
	order := make([]int32, len(rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(rows[a].Kind, rows[b].Kind), bytes.Compare(rows[a].ID[:], rows[b].ID[:]))
	})
	for _, i := range order {
		r := rows[i]
		s := spot{claim: base + r.Segment, offset: r.Offset, stored: r.Stored, plain: r.Plain, coding: r.Coding}
		if err := addSpot(t, chunkKey(r.Kind, r.ID), s); err != nil {
			return err
		}
	}
	return nil
}

// addSpot adds a spot to a chunk's, at the end. Should the lane have too many, its
// oldest goes.
func addSpot(t tx, key string, s spot) error {
	p, _ := get(t, tableChunks, key)
	list := decodeSpots(p)
	for _, o := range list {
		if o.claim == s.claim && o.offset == s.offset {
			return nil
		}
	}
	if len(list) >= maxSpots {
		list = dropOldest(t, list, s.claim)
	}
	return put(t, tableChunks, key, encodeSpots(append(list, s)))
}

// dropOldest removes the oldest spot of the lane that made a claim, if the lane
// has as many as it may have.
func dropOldest(t tx, list []spot, number uint32) []spot {
	lane := laneOf(t, number)
	oldest, count := -1, 0
	for i, s := range list {
		if laneOf(t, s.claim) != lane {
			continue
		}
		if count++; oldest < 0 {
			oldest = i
		}
	}
	if count < maxSpots {
		return list
	}
	return append(list[:oldest], list[oldest+1:]...)
}

func laneOf(t tx, number uint32) ident.PublicKey {
	c, _ := getClaim(t, number)
	return c.lane
}

func getClaim(t tx, number uint32) (claim, bool) {
	p, ok := get(t, tableClaims, claimKey(number))
	if !ok {
		return claim{}, false
	}
	return decodeClaim(p)
}

// MarkChecked records that this device itself has opened a place and found the
// chunk there: from now on Own accepts it, whatever lane it is of. A place that
// the index does not know is ignored.
func (x *Index) MarkChecked(places ...Place) error {
	err := x.update(func(t tx) error {
		for _, p := range places {
			if err := markChecked(t, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark chunks as checked: %w", err)
	}
	return nil
}

func markChecked(t tx, p Place) error {
	key := chunkKey(p.Row.Kind, p.Row.ID)
	value, ok := get(t, tableChunks, key)
	if !ok {
		return nil
	}
	list := decodeSpots(value)
	for i, s := range list {
		c, ok := getClaim(t, s.claim)
		if ok && c.segment == p.Segment && c.lane == p.Lane && s.offset == p.Row.Offset {
			list[i].checked = true
		}
	}
	return put(t, tableChunks, key, encodeSpots(list))
}
