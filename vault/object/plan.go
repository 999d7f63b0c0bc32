package object

import (
	"sync"

	"holdfast/internal/ident"
	"holdfast/seal"
)

const (
	// wholeShare: a segment is fetched whole if a wholeShare-th part of it, or
	// more, is wanted; or has been paid for in ranges.
	wholeShare = 4
	// smallSegment is what is always fetched whole: two round trips cost more.
	smallSegment = 512 << 10
	// rangeCost is what a ranged read costs besides its bytes.
	rangeCost = 128 << 10
)

// plan knows how much of each segment is going to be read, and in which order the
// segments come. What it does not know it learns from what is read.
type plan struct {
	mu    sync.Mutex
	wants map[ident.CID]*want
	order []ident.CID // of those that were expected
}

type want struct {
	bytes  int64 // stored bytes of chunks that are expected and were not read yet
	rent   int64 // what was read in ranges, and rangeCost for each
	ranges bool  // never again whole
	at     int   // in order; -1 if it was not expected
}

// maxUnplanned bounds what is remembered of segments that nobody expected.
const maxUnplanned = 1 << 14

func (p *plan) want(segment ident.CID) *want {
	w := p.wants[segment]
	if w == nil {
		if p.wants == nil || len(p.wants)-len(p.order) > maxUnplanned {
			p.forgetUnplanned()
		}
		w = &want{at: -1}
		p.wants[segment] = w
	}
	return w
}

func (p *plan) forgetUnplanned() {
	kept := make(map[ident.CID]*want, len(p.order))
	for _, s := range p.order {
		kept[s] = p.wants[s]
	}
	p.wants = kept
}

// expect adds a chunk of that stored length.
func (p *plan) expect(segment ident.CID, stored int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.want(segment)
	if w.at < 0 {
		w.at = len(p.order)
		p.order = append(p.order, segment)
	}
	w.bytes += stored
}

// read takes a chunk out that was read.
func (p *plan) read(segment ident.CID, stored int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.want(segment)
	w.bytes = max(0, w.bytes-stored)
}

// wholly reports whether to fetch a segment of that size whole. Besides what is
// expected the caller itself wants local bytes.
func (p *plan) wholly(segment ident.CID, size, local int64) bool {
	if size > wholeLimit {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.want(segment)
	switch {
	case w.ranges:
		return false
	case size <= smallSegment:
		return true
	}
	return max(w.bytes, w.rent, local) >= size/wholeShare
}

// pay counts a ranged read.
func (p *plan) pay(segment ident.CID, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want(segment).rent += n + rangeCost
}

func (p *plan) rangesOnly(segment ident.CID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want(segment).ranges = true
}

// after returns the next expected segment after this one of which chunks are still
// to be read.
func (p *plan) after(segment ident.CID) (ident.CID, bool) {
	const look = 16
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.wants[segment]
	if w == nil || w.at < 0 {
		return ident.CID{}, false
	}
	for i := w.at + 1; i < min(len(p.order), w.at+look); i++ {
		if p.wants[p.order[i]].bytes > 0 {
			return p.order[i], true
		}
	}
	return ident.CID{}, false
}

// Expect says that a data chunk is going to be read, in about this order. From what
// is expected a reader decides which segments it fetches whole, and fetches them
// ahead. An unknown chunk is no error here.
func (r *Reader) Expect(id seal.ChunkID) {
	places, err := r.cfg.Places(seal.KindData, id)
	if err == nil && len(places) > 0 {
		r.plan.expect(places[0].Segment, int64(places[0].Row.Stored))
	}
}
