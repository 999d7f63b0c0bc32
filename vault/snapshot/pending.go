package snapshot

import (
	"context"
	"sync"

	"holdfast/seal"
)

// pendingDir is a directory whose nodes become known out of order, because files
// are read in parallel, and are written in order. When the walk has left it and
// its last node is known, it becomes a tree object, and its own node known to its
// parent: so no goroutine waits for a directory.
type pendingDir struct {
	run    *archiving
	path   string // in the snapshot
	level  int
	parent *pendingDir
	slot   *slot // its place in the parent; nil for the root

	mu     sync.Mutex
	writer dirWriter
	queue  []*slot // in the order of names
	left   bool    // the walk has left it
	id     seal.ChunkID
}

// slot is the place of one node in its directory.
type slot struct {
	node  Node
	known bool
	keep  bool        // false: there is no such node after all
	way   bool        // a directory that is only on the way to what was given
	dir   *pendingDir // of a directory; nil for others
}

// newPendingDir begins the root, or with a node the directory of that node.
func newPendingDir(run *archiving, parent *pendingDir, n Node) *pendingDir {
	d := &pendingDir{run: run, parent: parent, writer: dirWriter{sink: run.sink}}
	if parent != nil {
		d.path = parent.path + "/" + string(n.Name)
		d.level = parent.level + 1
		d.slot = parent.reserveDir(&slot{node: n, dir: d})
	}
	return d
}

// reserve takes the next place in the order of names. The walk calls it, and
// waits here while too many nodes wait for an earlier one.
func (d *pendingDir) reserve(ctx context.Context) *slot {
	select {
	case d.run.window <- struct{}{}:
	case <-ctx.Done():
	}
	return d.reserveDir(&slot{})
}

// reserveDir is the same for a directory, which is counted as waiting only when
// the walk has left it: nothing waits for a directory that is being walked.
func (d *pendingDir) reserveDir(s *slot) *slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, s)
	return s
}

// fill makes a node known.
func (d *pendingDir) fill(ctx context.Context, s *slot, n Node) { d.settle(ctx, s, n, true) }

// drop says that there is no node.
func (d *pendingDir) drop(ctx context.Context, s *slot) { d.settle(ctx, s, Node{}, false) }

// leave says that the walk has seen the whole directory.
func (d *pendingDir) leave(ctx context.Context) {
	if d.slot != nil {
		select {
		case d.run.window <- struct{}{}:
		case <-ctx.Done():
		}
	}
	d.mu.Lock()
	d.left = true
	d.mu.Unlock()
	d.advance(ctx)
}

func (d *pendingDir) settle(ctx context.Context, s *slot, n Node, keep bool) {
	d.mu.Lock()
	s.node, s.keep, s.known = n, keep, true
	d.mu.Unlock()
	d.advance(ctx)
}

// advance writes what is known, here and then in each parent that becomes known
// by it.
func (d *pendingDir) advance(ctx context.Context) {
	for d != nil {
		done, err := d.drain(ctx)
		if err != nil {
			d.run.fail(err)
			return
		}
		if !done || d.slot == nil {
			return
		}
		p := d.parent
		p.mu.Lock()
		d.slot.node.Tree = d.id
		d.slot.keep, d.slot.known = true, true
		p.mu.Unlock()
		d = p
	}
}

// drain writes the nodes at the head of the queue that are known. It reports true
// once: when the directory is complete.
func (d *pendingDir) drain(ctx context.Context) (done bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) > 0 && d.queue[0].known {
		s := d.queue[0]
		d.queue[0] = nil
		d.queue = d.queue[1:]
		select {
		case <-d.run.window:
		default: // the run was cancelled while the walk waited
		}
		if err := d.write(ctx, s); err != nil {
			return false, err
		}
	}
	if !d.left || len(d.queue) > 0 {
		return false, nil
	}
	d.left = false
	if d.run.sink != nil {
		d.id, err = d.writer.close(ctx)
	}
	return err == nil, err
}

// write counts a node and adds it to the directory. A node that cannot be
// described is listed instead.
func (d *pendingDir) write(ctx context.Context, s *slot) error {
	if !s.keep {
		return nil
	}
	n := &s.node
	if d.run.sink != nil {
		if err := n.Validate(); err != nil {
			d.run.skip(d.path+"/"+string(n.Name), n.Type, err)
			return nil
		}
		if err := d.writer.add(ctx, n); err != nil {
			return err
		}
	}
	d.run.stored(s)
	return nil
}
