package snapshot

import (
	"context"
	"fmt"
	"io"
	"sync"

	"holdfast/seal"
)

// Copies of files are taken from the first one that was restored: that costs neither
// a fetch nor a decoder. Only files of one short chunk, as nearly all copies are.
const (
	maxCopied  = 256 << 10 // bytes of a file
	copyMemory = 8 << 20   // bytes of paths and names that are remembered
	copyCost   = 128       // of each, besides its path
)

// restoredCopies knows what content is in the target already. What it forgets is
// fetched again.
type restoredCopies struct {
	mu    sync.Mutex
	files map[seal.ChunkID]string // path in the target; "" while it is on its way
	size  int
}

// copied returns the chunk of a file that may be, or have, a copy.
func copied(n *Node) (seal.ChunkID, bool) {
	if n.Type != File || len(n.Content) != RowSize || len(n.Extents) > 0 || n.Size > maxCopied {
		return seal.ChunkID{}, false
	}
	return RowAt(n.Content, 0).ID, true
}

// plan says that a file is going to be restored. It reports whether its content is
// there or on its way already.
func (c *restoredCopies) plan(n *Node) bool {
	id, ok := copied(n)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.files[id]; known {
		return true
	}
	c.set(id, "")
	return false
}

// add says that a file is in its place.
func (c *restoredCopies) add(n *Node, rel string) {
	id, ok := copied(n)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files[id] == "" {
		c.set(id, rel)
	}
}

// set remembers a path. If there are too many, all are forgotten.
func (c *restoredCopies) set(id seal.ChunkID, rel string) {
	cost := len(rel)
	if _, known := c.files[id]; !known {
		cost += copyCost
	}
	if c.size+cost > copyMemory || c.files == nil {
		c.files, c.size = map[seal.ChunkID]string{}, 0
	}
	c.files[id] = rel
	c.size += cost
}

// find returns where the content of a file is.
func (c *restoredCopies) find(n *Node) (id seal.ChunkID, rel string) {
	id, ok := copied(n)
	if !ok {
		return id, ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return id, c.files[id]
}

// forget is for a path that turned out to hold something else.
func (c *restoredCopies) forget(id seal.ChunkID, rel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files[id] == rel {
		delete(c.files, id)
	}
}

// planCopy reports whether a file needs no fetch, for its content will be there.
func (r *restoring) planCopy(n *Node) bool {
	return r.options.Check != nil && r.copies.plan(n)
}

// copyContent gives the content of a file that is in the target under another name,
// checked against its chunk ID, to put. It reports false if there is none, or if what
// is there has changed since: then put was not called.
func (r *restoring) copyContent(ctx context.Context, n *Node, buf *[]byte, put func(off int64, p []byte) error) (bool, error) {
	id, rel := r.copies.find(n)
	if rel == "" || r.options.Check == nil || ctx.Err() != nil {
		return false, nil
	}
	if int64(len(*buf)) < n.Size {
		*buf = make([]byte, maxCopied)
	}
	plain := (*buf)[:n.Size]
	err := r.readCopy(rel, plain)
	if err == nil {
		err = r.options.Check(seal.KindData, id, plain)
	}
	if err != nil {
		r.copies.forget(id, rel)
		return false, nil
	}
	return true, put(0, plain)
}

// readCopy reads a whole file of the target.
func (r *restoring) readCopy(rel string, plain []byte) error {
	f, err := r.top.folder.open(rel[1:])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != int64(len(plain))) {
		err = fmt.Errorf("%q: %w", rel, errReplaced)
	}
	if err == nil {
		_, err = io.ReadFull(f, plain)
	}
	return err
}
