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
	for _, n := range c.nodes {
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

// comparePrevious lets the archiver skip files that are unchanged since the last
// snapshot of the same source in this lane, where this device can read it. A file is
// skipped only if every chunk of it is known to be stored.
func (c *commit) comparePrevious(ctx context.Context, a *snapshot.Archiver, snap snapshot.Snapshot) (done func(), err error) {
	nothing := func() {}
	if c.needRead() != nil {
		return nothing, nil
	}
	source := snapshot.SourceID(c.profile.Keys, snap.Host, texts(snap.Paths))
	links := c.history.lanes[c.lane()]
	for i := len(links) - 1; i >= 0; i-- {
		if links[i].Entry.Source != source {
			continue
		}
		info, err := c.openSnapshot(ctx, links[i])
		if err != nil {
			return nothing, err
		}
		v := &View{c.reader(nil), Snapshot{Link: links[i], Info: info, Open: true}}
		previous := snapshot.NewPrevious(v, info.Root)
		a.Options.Unchanged = func(ctx context.Context, path string, n *snapshot.Node) (*snapshot.Node, bool) {
			old, same := previous.Unchanged(ctx, path, n)
			return old, same && c.allKnown(ctx, v, old)
		}
		return v.Close, nil
	}
	return nothing, nil
}

// allKnown reports whether every chunk of a file is stored already, and counts their
// segments as used.
func (c *commit) allKnown(ctx context.Context, v *View, n *snapshot.Node) bool {
	known := true
	err := snapshot.Rows(ctx, v, n, func(rows []byte) error {
		for i := range len(rows) / snapshot.RowSize {
			known = known && c.known(seal.KindData, snapshot.RowAt(rows, i).ID)
		}
		return nil
	})
	return err == nil && known && len(n.List) == 0
}
