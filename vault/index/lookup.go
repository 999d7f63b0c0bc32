package index

import (
	"fmt"
	"sort"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// Places returns every place that a complete commit claims for a chunk: this
// device's own lane first, then the newest claim of each other lane, then older
// ones, so that a lane with many false claims cannot stand before a true one. Places
// in released segments come last.
func (x *Index) Places(kind seal.Kind, id seal.ChunkID) ([]Place, error) {
	found, err := x.find(kind, id)
	if err != nil {
		return nil, fmt.Errorf("look up chunk %v: %w", id, err)
	}
	sort.SliceStable(found, func(a, b int) bool {
		if gone, other := x.isReleased(found[a].Segment), x.isReleased(found[b].Segment); gone != other {
			return other
		}
		if own, other := found[a].Lane == x.lane, found[b].Lane == x.lane; own != other {
			return own
		}
		return found[a].rank < found[b].rank
	})
	places := make([]Place, len(found))
	for i, f := range found {
		places[i] = f.Place
	}
	return places, nil
}

// Own returns a place that is a reason not to send a chunk again: one in a
// complete commit of the lane, or one that this device has checked itself. What
// other lanes claim is none, and what is released is none. A failing index knows
// nothing, and the chunk is sent.
//
// SPEC: a writer deduplicates only against chunks that its own lane introduced, or
// that it has itself opened and checked.
func (x *Index) Own(kind seal.Kind, id seal.ChunkID, lane ident.PublicKey) (Place, bool) {
	found, err := x.find(kind, id)
	if err != nil {
		return Place{}, false
	}
	return x.own(found, lane)
}

// OwnAll is Own for many chunks in one look at the index. The zero Place stands for
// a chunk that has none.
func (x *Index) OwnAll(kind seal.Kind, ids []seal.ChunkID, lane ident.PublicKey) []Place {
	places := make([]Place, len(ids))
	err := x.view(func(t tx) {
		f := finder{t: t, frames: map[uint32]frame{}}
		for i, id := range ids {
			places[i], _ = x.own(f.find(kind, id), lane)
		}
	})
	if err != nil {
		clear(places)
	}
	return places
}

// own chooses the first place that is a reason not to send a chunk again.
func (x *Index) own(found []candidate, lane ident.PublicKey) (Place, bool) {
	for _, f := range found {
		if x.isReleased(f.Segment) {
			continue
		}
		if f.checked || f.Lane == lane && !lane.IsZero() {
			return f.Place, true
		}
	}
	return Place{}, false
}

// Done reports whether an entry's index part has been taken in completely.
func (x *Index) Done(entry ident.CID) (bool, error) {
	var s progress
	err := x.view(func(t tx) { s, _ = getProgress(t, entry) })
	if err != nil {
		return false, fmt.Errorf("look up entry %v: %w", entry, err)
	}
	return s.done, nil
}

// DoneAll is Done for many entries: one answer for each.
func (x *Index) DoneAll(entries []ident.CID) ([]bool, error) {
	done := make([]bool, len(entries))
	err := x.view(func(t tx) {
		for i, e := range entries {
			s, _ := getProgress(t, e)
			done[i] = s.done
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look up %d entries: %w", len(entries), err)
	}
	return done, nil
}

type candidate struct {
	Place
	checked bool
	rank    int // among the same lane's: 0 is the newest
}

// find returns the places of a chunk in complete commits, newest first.
func (x *Index) find(kind seal.Kind, id seal.ChunkID) ([]candidate, error) {
	var found []candidate
	err := x.view(func(t tx) {
		f := finder{t: t}
		found = f.find(kind, id)
	})
	return found, err
}

// finder looks chunks up in one transaction. With frames it reads each claim once: a
// commit has many chunks in few segments.
type finder struct {
	t      tx
	frames map[uint32]frame // may be nil
}

// frame is a claim, if it is of a complete commit.
type frame struct {
	claim
	valid bool
}

func (f *finder) find(kind seal.Kind, id seal.ChunkID) []candidate {
	value, ok := get(f.t, tableChunks, chunkKey(kind, id))
	if !ok {
		return nil
	}
	list := decodeSpots(value)
	found := make([]candidate, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		s := list[i]
		c := f.frame(s.claim)
		if !c.valid {
			continue
		}
		row := seal.Row{ID: id, Offset: s.offset, Stored: s.stored, Plain: s.plain, Kind: kind, Coding: s.coding}
		place := Place{Segment: c.segment, Lane: c.lane, Header: c.header, Sealed: c.sealed, Row: row}
		found = append(found, candidate{place, s.checked, rank(found, c.lane)})
	}
	return found
}

func (f *finder) frame(number uint32) frame {
	if c, ok := f.frames[number]; ok {
		return c
	}
	c := readFrame(f.t, number)
	if f.frames != nil {
		f.frames[number] = c
	}
	return c
}

func readFrame(t tx, number uint32) frame {
	c, ok := getClaim(t, number)
	if !ok {
		return frame{}
	}
	p, ok := getProgress(t, c.entry)
	return frame{c, ok && p.done && number-p.base < p.count}
}

func rank(found []candidate, lane ident.PublicKey) int {
	n := 0
	for _, f := range found {
		if f.Lane == lane {
			n++
		}
	}
	return n
}
