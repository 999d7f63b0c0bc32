package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/seal"
	"holdfast/vault/index"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// FalseClaims are chunks that a lane says it has stored and that are not where it
// says. Nobody but that lane's own snapshots depends on them: a device deduplicates
// against what it has stored itself.
type FalseClaims struct {
	Lane    ident.PublicKey
	Name    string // of the device
	Chunks  int
	Segment ident.CID // of the first that was found
	Why     error     // of the same
}

// accused collects false claims by lane, each once. Readers call it at the same time.
type accused struct {
	mu   sync.Mutex
	seen map[index.Place]bool
	by   map[ident.PublicKey]*FalseClaims
}

// maxAccused bounds what is remembered so as not to count it twice.
const maxAccused = 1 << 18

func (a *accused) note(p index.Place, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[p] || len(a.seen) >= maxAccused {
		return
	}
	if a.seen == nil {
		a.seen, a.by = map[index.Place]bool{}, map[ident.PublicKey]*FalseClaims{}
	}
	a.seen[p] = true
	f := a.by[p.Lane]
	if f == nil {
		f = &FalseClaims{Lane: p.Lane, Segment: p.Segment, Why: why}
		a.by[p.Lane] = f
	}
	f.Chunks++
}

// list returns what was found, sorted by lane.
func (a *accused) list(nameOf func(ident.PublicKey) string) []FalseClaims {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []FalseClaims
	for _, f := range a.by {
		f.Name = nameOf(f.Lane)
		out = append(out, *f)
	}
	slices.SortFunc(out, func(x, y FalseClaims) int { return cmp.Or(cmp.Compare(y.Chunks, x.Chunks), x.Lane.Compare(y.Lane)) })
	return out
}

// deviceName returns what a lane's device is called.
func (s *Session) deviceName(lane ident.PublicKey) string {
	return cmp.Or(s.history.grants[lane].Name, lane.Short())
}

// checkClaims opens a part of all chunks that the lanes say they have stored, and
// holds each against its keyed name.
func (s *Session) checkClaims(ctx context.Context, part float64) error {
	for _, lane := range s.lanesOf() {
		if err := s.checkLane(ctx, lane, part); err != nil {
			return fmt.Errorf("check claims of lane %s: %w", lane.Short(), err)
		}
	}
	return nil
}

func (s *Session) checkLane(ctx context.Context, lane ident.PublicKey, part float64) error {
	cfg := s.readerConfig(nil, s.holder)
	cfg.Places = func(kind seal.Kind, id seal.ChunkID) ([]index.Place, error) {
		all, err := s.index.Places(kind, id)
		return slices.DeleteFunc(all, func(p index.Place) bool { return p.Lane != lane }), err
	}
	r := object.NewReader(cfg)
	defer r.Close()
	n, _, err := s.loadIndex(ctx, r, lane, s.history.height(lane))
	if err != nil {
		return err
	}
	for _, l := range s.history.lanes[lane] {
		if l.Entry.Kind != ledger.KindSnapshot || s.releases.segments[n.metas[l.CID]] {
			continue
		}
		x, err := r.Index(ctx, n.metas[l.CID])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			continue // that it cannot be had is told of by the check of its segment
		}
		if err := s.checkIndex(ctx, r, lane, x, part); err != nil {
			return err
		}
	}
	return nil
}

// checkIndex reads chunks of one commit, in the order in which they are stored. What
// is out of reach accuses nobody.
func (s *Session) checkIndex(ctx context.Context, r *object.Reader, lane ident.PublicKey, x seal.Index, part float64) error {
	var rows []byte
	for _, c := range x.Chunks {
		if rand.Float64() >= part {
			continue
		}
		segment := x.Segments[c.Segment].Segment
		if s.releases.segments[segment] {
			continue // what a quorum has let go of accuses nobody
		}
		if _, known, err := s.index.Segment(segment); segment.Defined() && err == nil && !known {
			s.accuse(index.Place{Segment: segment, Lane: lane, Row: c.Row}, errNoSegment)
			continue
		}
		if c.Kind == seal.KindTree {
			if _, err := r.Tree(ctx, c.ID); err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		rows = snapshot.AppendRow(rows, snapshot.Row{ID: c.ID, Length: int64(c.Plain)})
	}
	for len(rows) > 0 {
		done := 0
		if err := r.Chunks(ctx, rows, func(i int, _ []byte) error { done = i + 1; return nil }); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rows = rows[(done+1)*snapshot.RowSize:]
	}
	return nil
}

var errNoSegment = errors.New("no entry has introduced the segment")
