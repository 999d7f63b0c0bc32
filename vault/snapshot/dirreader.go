package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"holdfast/seal"
)

// Limits on what a foreign tree can make a reader hold in memory.
const (
	maxDepth    = 1000 // levels of directories
	deepLevel   = 32   // below this level a large part is read again, not kept
	deepTree    = 16 << 10
	errDeepTree = "too many levels of directories"
)

// dirReader gives the nodes of one directory in the order of their names. It
// holds one tree object at a time.
type dirReader struct {
	src   Source
	level int
	parts []seal.ChunkID // of which part is the one in hand
	part  int
	nodes []Node
	next  int
	size  int
	last  []byte
}

// newDirReader opens a directory by its tree object. Level is its depth in the
// walk.
func newDirReader(ctx context.Context, src Source, id seal.ChunkID, level int) (*dirReader, error) {
	if level > maxDepth {
		return nil, fmt.Errorf("%w: %s", ErrTree, errDeepTree)
	}
	d := &dirReader{src: src, level: level, parts: []seal.ChunkID{id}}
	t, size, err := readTree(ctx, src, id)
	if err != nil {
		return nil, err
	}
	switch t.Kind {
	case Nodes:
		d.nodes, d.size = t.Nodes, size
	case Parts:
		d.parts = t.Parts
		err = d.load(ctx)
	default:
		err = fmt.Errorf("read directory %s: %w: not a directory", id, ErrTree)
	}
	return d, err
}

// read returns the next node, or io.EOF after the last one. The node is valid
// until the next call.
func (d *dirReader) read(ctx context.Context) (*Node, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if d.nodes == nil {
		if err := d.load(ctx); err != nil {
			return nil, err
		}
	}
	for d.next >= len(d.nodes) {
		if d.part+1 >= len(d.parts) {
			return nil, io.EOF
		}
		d.part++
		d.next = 0
		if err := d.load(ctx); err != nil {
			return nil, err
		}
	}
	n := &d.nodes[d.next]
	if d.last != nil && bytes.Compare(d.last, n.Name) >= 0 {
		return nil, fmt.Errorf("read directory: %w: parts out of order", ErrTree)
	}
	d.next++
	d.last = n.Name
	return n, nil
}

// load reads the part in hand.
func (d *dirReader) load(ctx context.Context) error {
	t, size, err := readTree(ctx, d.src, d.parts[d.part])
	if err != nil {
		return err
	}
	if t.Kind != Nodes || d.next > len(t.Nodes) {
		return fmt.Errorf("read directory %s: %w: a part without nodes", d.parts[d.part], ErrTree)
	}
	d.nodes, d.size = t.Nodes, size
	if d.nodes == nil {
		d.nodes = []Node{}
	}
	return nil
}

// rest lets go of the nodes while a deeper directory is walked, if they are many
// and deep: the memory of a walk stays small whatever the tree.
func (d *dirReader) rest() {
	if d.level > deepLevel && d.size > deepTree {
		d.last = bytes.Clone(d.last)
		d.nodes = nil
	}
}

func readTree(ctx context.Context, src Source, id seal.ChunkID) (Tree, int, error) {
	p, err := src.Tree(ctx, id)
	if err != nil {
		return Tree{}, 0, fmt.Errorf("read tree object %s: %w", id, err)
	}
	t, err := ParseTree(p)
	if err != nil {
		return Tree{}, 0, fmt.Errorf("read tree object %s: %w", id, err)
	}
	return t, len(p), nil
}
