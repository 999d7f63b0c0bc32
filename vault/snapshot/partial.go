package snapshot

import (
	"context"
	"slices"

	"holdfast/seal"
)

// Partial stores the tree of what Paths has completed so far, and returns its root.
// Every file in it is whole; directories on the way to them are there, and those
// that are not finished lack what is not. Stats and unread sources are those of
// about this moment. It may be called from another goroutine while Paths works, and
// when it has failed or was cancelled. Before Paths is called, and of a stream, the
// tree is an empty directory.
//
// Of a directory under way only the nodes after its last complete part are written
// again: so what it costs does not grow with what was done before.
func (a *Archiver) Partial(ctx context.Context) (seal.ChunkID, Stats, []Unread, error) {
	run := a.run.Load()
	if run == nil {
		w := dirWriter{sink: a.Sink}
		root, err := w.close(ctx)
		return root, Stats{}, nil, err
	}
	root, err := run.root.partial(ctx)
	return root, run.stats(), run.unread.list(), err
}

// partial writes the nodes that are known, and in the place of directories that are
// under way what is known of them.
func (d *pendingDir) partial(ctx context.Context) (seal.ChunkID, error) {
	w, queue := d.sofar()
	for _, s := range queue {
		if !s.known {
			var err error
			if s.node.Tree, err = s.dir.partial(ctx); err != nil {
				return seal.ChunkID{}, err
			}
		}
		if s.node.Validate() != nil {
			continue // listed when its turn comes
		}
		if err := w.add(ctx, &s.node); err != nil {
			return seal.ChunkID{}, err
		}
	}
	return w.close(ctx)
}

// sofar copies what is written of a directory, and which nodes can follow.
func (d *pendingDir) sofar() (dirWriter, []slot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.writer
	w.nodes, w.parts = slices.Clone(w.nodes), slices.Clone(w.parts)
	var queue []slot
	for _, s := range d.queue {
		if s.known && s.keep || !s.known && s.dir != nil {
			queue = append(queue, slot{node: s.node, known: s.known, dir: s.dir})
		}
	}
	return w, queue
}
