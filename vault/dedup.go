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
	if !ok || c.thin[place.Segment] {
		return false
	}
	c.seen.add(place.Segment)
	return true
}

// findThin lists the segments that were placed with fewer than n shards, if there
// are operators enough for all n now: what they hold is sent again, so that the same
// command completes what it could not complete before.
func (c *commit) findThin() {
	operators := map[ident.PublicKey]bool{}
	for _, n := range c.open.nodes {
		if c.charter.Admits(n.cert.Operator) {
			operators[n.cert.Operator] = true
		}
	}
	if len(operators)*c.share() < c.charter.Coded().N {
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
	var previous []*snapshot.Previous
	for _, snap := range earlier {
		previous = append(previous, snapshot.NewPrevious(r, snap.Info.Root))
	}
	c.archiver.Options.Unchanged = func(ctx context.Context, path string, n *snapshot.Node) (*snapshot.Node, bool) {
		for _, p := range previous {
			if old, same := p.Unchanged(ctx, path, n); same && c.allKnown(ctx, r, old) {
				return old, true
			}
		}
		return nil, false
	}
	return r.Close, nil
}

// earlier returns the snapshots of the same source to compare with, newest first.
func (c *commit) earlier(ctx context.Context) ([]Snapshot, error) {
	source := c.source()
	links := c.history.lanes[c.lane()]
	var out []Snapshot
	for i := len(links) - 1; i >= 0; i-- {
		if links[i].Entry.Source != source {
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

// allKnown reports whether every chunk of a file is stored already, and counts their
// segments as used.
func (c *commit) allKnown(ctx context.Context, src snapshot.Source, n *snapshot.Node) bool {
	for _, id := range snapshot.ChunkLists(n) {
		if !c.known(seal.KindTree, id) {
			return false
		}
	}
	known := true
	err := snapshot.Rows(ctx, src, n, func(rows []byte) error {
		for i := range len(rows) / snapshot.RowSize {
			known = known && c.known(seal.KindData, snapshot.RowAt(rows, i).ID)
		}
		return nil
	})
	return err == nil && known
}
