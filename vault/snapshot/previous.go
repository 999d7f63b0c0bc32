package snapshot

import (
	"context"
	"strings"

	"holdfast/seal"
)

// Previous finds the files of an earlier snapshot that have not changed since, so
// that they need not be read again. It follows the walk of an Archiver: it holds
// one part of each directory on the way, whatever the size of the snapshot. A
// question out of order is answered too, at the price of reading a directory
// again. It is for one goroutine.
type Previous struct {
	// Ahead, if set, is told of the nodes of a directory, some hundred at a time,
	// before the first question about one of them is answered. They are valid
	// during the call.
	Ahead func(nodes []Node)

	src   Source
	root  seal.ChunkID
	stack []previousDir // from the root to the last question's directory
	err   error
}

// previousDir is a directory of the earlier snapshot, read up to some name.
type previousDir struct {
	name   string // its own; empty for the root
	tree   seal.ChunkID
	reader *dirReader // nil: the earlier snapshot has no such directory
	node   *Node      // the one read last, nil before the first and after the last
}

// NewPrevious follows the tree of an earlier snapshot.
func NewPrevious(src Source, root seal.ChunkID) *Previous {
	return &Previous{src: src, root: root}
}

// Err returns the first error of the source, if any. What could not be looked up
// counts as changed.
func (p *Previous) Err() error { return p.err }

// Unchanged is an ArchiveOptions.Unchanged: a file of the same path, size, mtime
// and ctime has the same content.
func (p *Previous) Unchanged(ctx context.Context, path string, n *Node) (*Node, bool) {
	old := p.find(ctx, split(path))
	if old == nil || old.Type != File || n.Type != File {
		return nil, false
	}
	if old.Size != n.Size || old.MTime != n.MTime || old.CTime != n.CTime {
		return nil, false
	}
	return old, true
}

// find returns the node at a path, or nil.
func (p *Previous) find(ctx context.Context, elements []string) *Node {
	if len(elements) == 0 {
		return nil
	}
	if p.stack == nil {
		p.stack = []previousDir{p.open(ctx, "", p.root)}
	}
	dirs, name := elements[:len(elements)-1], elements[len(elements)-1]
	same := 0
	for same < len(dirs) && same+1 < len(p.stack) && p.stack[same+1].name == dirs[same] {
		same++
	}
	p.stack = p.stack[:same+1]
	for _, e := range dirs[same:] {
		next := previousDir{name: e}
		if n := p.seek(ctx, e); n != nil && n.Type == Dir {
			next = p.open(ctx, e, n.Tree)
		}
		p.stack = append(p.stack, next)
	}
	return p.seek(ctx, name)
}

func (p *Previous) open(ctx context.Context, name string, tree seal.ChunkID) previousDir {
	r, err := newDirReader(ctx, p.src, tree, len(p.stack))
	if err != nil {
		p.note(err)
		return previousDir{name: name}
	}
	p.tell(r)
	return previousDir{name: name, tree: tree, reader: r}
}

// seek reads the innermost directory forward to a name.
func (p *Previous) seek(ctx context.Context, name string) *Node {
	d := &p.stack[len(p.stack)-1]
	if d.reader == nil {
		return nil
	}
	if d.node != nil && string(d.node.Name) > name || d.node == nil && d.reader.last != nil && string(d.reader.last) >= name {
		*d = p.open(ctx, d.name, d.tree) // out of order: from the start
		if d.reader == nil {
			return nil
		}
	}
	for d.node == nil || string(d.node.Name) < name {
		part := d.reader.part
		n, err := d.reader.read(ctx)
		if err != nil {
			p.note(err)
			d.node = nil
			return nil
		}
		if d.reader.part != part {
			p.tell(d.reader)
		}
		d.node = n
	}
	if strings.Compare(string(d.node.Name), name) == 0 {
		return d.node
	}
	return nil
}

// tell hands on the part in hand.
func (p *Previous) tell(r *dirReader) {
	if p.Ahead != nil {
		p.Ahead(r.nodes)
	}
}

func (p *Previous) note(err error) {
	if p.err == nil && !isEnd(err) {
		p.err = err
	}
}
