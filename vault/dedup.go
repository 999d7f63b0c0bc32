package vault

import (
	"context"
	"sync"

	"holdfast/internal/ident"
	"holdfast/seal"
	"holdfast/vault/snapshot"
)

// loadOwn brings the index of this device's own lane up to date: it is all that the
// device deduplicates against.
func (c *commit) loadOwn(ctx context.Context) error {
	r := c.reader(nil)
	defer r.Close()
	var missing, err error
	c.before, missing, err = c.loadIndex(ctx, r, c.lane(), c.history.height(c.lane()))
	if missing != nil {
		c.warn("part of the index is out of reach; what it lists is stored again (%v)", missing)
	}
	return err
}

// usedSegments collects which segments of earlier commits a new snapshot needs.
type usedSegments struct {
	mu  sync.Mutex
	ids map[ident.CID]struct{}
}

func (u *usedSegments) add(id ident.CID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids == nil {
		u.ids = map[ident.CID]struct{}{}
	}
	u.ids[id] = struct{}{}
}

// all returns them, for the caller to change.
func (u *usedSegments) all() map[ident.CID]bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make(map[ident.CID]bool, len(u.ids))
	for id := range u.ids {
		out[id] = true
	}
	return out
}

// known is the dedup rule: a chunk is stored already if this lane introduced it, in a
// segment that is as whole as one could be made now.
func (c *commit) known(kind seal.Kind, id seal.ChunkID) bool {
	place, ok := c.index.Own(kind, id, c.lane())
	return ok && c.use(place.Segment)
}

// use counts a segment as used, unless what it holds is to be sent again.
func (c *commit) use(segment ident.CID) bool {
	if c.thin[segment] {
		return false
	}
	c.seen.add(segment)
	return true
}

// findThin lists the segments that were placed with fewer than n shards, if there
// are operators enough for all n now: what they hold is sent again, so that the same
// command completes what it could not complete before.
func (c *commit) findThin() {
	if c.open.placer.takers()*c.share() < c.charter.Coded().N {
		return
	}
	c.thin = map[ident.CID]bool{}
	for _, seg := range c.before.segments {
		if placed(seg.Nodes) < len(seg.Nodes) {
			c.thin[seg.CID] = true
		}
	}
}

// placed counts the shards that somebody holds.
func placed(nodes []ident.PublicKey) int {
	n := 0
	for _, node := range nodes {
		if !node.IsZero() {
			n++
		}
	}
	return n
}

// maxEarlier is how many interrupted runs are looked at for what they have read.
const maxEarlier = 3

// comparePrevious lets the archiver skip files that are unchanged since an earlier
// snapshot of the same source in this lane, where this device can read it: the last
// complete one, and before it the newest checkpoint of each run that was interrupted
// since. A file is skipped only if every chunk of it is known to be stored.
func (c *commit) comparePrevious(ctx context.Context) (done func(), err error) {
	nothing := func() {}
	if c.job.Force || c.job.Stream != nil || c.needRead() != nil {
		return nothing, nil
	}
	earlier, err := c.earlier(ctx)
	if err != nil || len(earlier) == 0 {
		return nothing, err
	}
	if earlier[0].Info.Partial {
		c.job.Continues(earlier[0])
	}
	r := c.reader(nil)
	var known []*lookedUp
	for _, snap := range earlier {
		known = append(known, c.newLookedUp(r, snap.Info.Root))
	}
	c.archiver.Options.Unchanged = unchangedSince(known...)
	return r.Close, nil
}

// earlier returns the snapshots of the same source to compare with, newest first.
func (c *commit) earlier(ctx context.Context) ([]Snapshot, error) {
	source := c.source()
	links := c.history.lanes[c.lane()]
	var out []Snapshot
	for i := len(links) - 1; i >= 0; i-- {
		if links[i].Entry.Source != source || c.isForgotten(links[i].CID) {
			continue
		}
		info, err := c.openSnapshot(ctx, links[i])
		if err != nil {
			return nil, err
		}
		snap := Snapshot{Link: links[i], Info: info, Open: true}
		if !info.Partial {
			return append(out, snap), nil
		}
		// All checkpoints of a run have its start; the newest one holds what the others do.
		sameRun := len(out) > 0 && out[len(out)-1].Info.Time == info.Time
		if !sameRun && len(out) < maxEarlier {
			out = append(out, snap)
		}
	}
	return out, nil
}

// lookedUp answers for the files of an earlier snapshot. It looks up the chunks of
// many files at once, as they come into sight; what it has not kept it looks up when
// it is asked. It is for one goroutine.
type lookedUp struct {
	*commit
	source   snapshot.Source
	previous *snapshot.Previous
	segments map[seal.ChunkID]ident.CID // of data chunks; none: not stored
}

func (c *commit) newLookedUp(src snapshot.Source, root seal.ChunkID) *lookedUp {
	l := &lookedUp{commit: c, source: src, previous: snapshot.NewPrevious(src, root)}
	l.previous.Ahead = l.nodes
	return l
}

// unchangedSince finds a file's content in the first of several earlier snapshots
// that has it, unchanged and stored.
func unchangedSince(earlier ...*lookedUp) func(context.Context, string, *snapshot.Node) (*snapshot.Node, bool) {
	return func(ctx context.Context, path string, n *snapshot.Node) (*snapshot.Node, bool) {
		for _, l := range earlier {
			if old, same := l.previous.Unchanged(ctx, path, n); same && l.allKnown(ctx, old) {
				return old, true
			}
		}
		return nil, false
	}
}

// maxLookedUp bounds the chunks that are kept.
const maxLookedUp = 1 << 14

// nodes looks up what a part of a directory refers to.
func (l *lookedUp) nodes(nodes []snapshot.Node) {
	var ids []seal.ChunkID
	for i := range nodes {
		for rows := nodes[i].Content; len(rows) > 0 && len(ids) < maxLookedUp; rows = rows[snapshot.RowSize:] {
			ids = append(ids, snapshot.RowAt(rows, 0).ID)
		}
	}
	if len(l.segments)+len(ids) > maxLookedUp || l.segments == nil {
		l.segments = make(map[seal.ChunkID]ident.CID, len(ids))
	}
	for i, p := range l.index.OwnAll(seal.KindData, ids, l.lane()) {
		l.segments[ids[i]] = p.Segment
	}
}

// has reports whether a data chunk is stored, and counts its segment as used.
func (l *lookedUp) has(id seal.ChunkID) bool {
	segment, ok := l.segments[id]
	if !ok {
		return l.known(seal.KindData, id)
	}
	return segment.Defined() && l.use(segment)
}

// allKnown reports whether everything that a file's node refers to is stored already,
// and counts the segments as used: its chunks, and the chunk lists of a large one.
func (l *lookedUp) allKnown(ctx context.Context, n *snapshot.Node) bool {
	for _, id := range n.Lists() {
		if !l.known(seal.KindTree, id) {
			return false
		}
	}
	known := true
	err := snapshot.Rows(ctx, l.source, n, func(rows []byte) error {
		for i := range len(rows) / snapshot.RowSize {
			known = known && l.has(snapshot.RowAt(rows, i).ID)
		}
		return nil
	})
	return err == nil && known
}
