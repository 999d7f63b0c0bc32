package snapshot

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"holdfast/seal"
)

// restoreJob is one thing that is not a directory.
type restoreJob struct {
	dir  *place
	node Node
	rel  string
	keep bool          // what is there seems the same: set metadata only
	link *restoredLink // of a file with several names; nil otherwise
}

func (j *restoreJob) name() string { return string(j.node.Name) }
func (j *restoreJob) path() string { return j.dir.run.base + j.rel }

// walk restores what is in a directory. The error is of the root alone: below it
// a directory that cannot be read is listed.
func (r *restoring) walk(ctx context.Context, d *place, tree seal.ChunkID, level int) error {
	reader, err := newDirReader(ctx, r.src, tree, level)
	if err != nil {
		return err
	}
	for {
		n, err := reader.read(ctx)
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if n.Type != Dir {
			r.leaf(ctx, d, n)
			continue
		}
		if rel := d.rel + "/" + string(n.Name); r.descends(rel) {
			reader.rest()
			r.walkChild(ctx, d, n, level)
		}
	}
}

func (r *restoring) walkChild(ctx context.Context, d *place, n *Node, level int) {
	c := d.child(n)
	defer c.done()
	if r.selects(c.rel) && !c.make() {
		return
	}
	if err := r.walk(ctx, c, c.node.Tree, level+1); err != nil && ctx.Err() == nil {
		r.fail(c.path(), Dir, err)
	}
}

// selects reports whether a path is to be restored.
func (r *restoring) selects(rel string) bool {
	o := &r.options
	return (o.Include.Empty() || o.Include.Match(rel)) && !o.Exclude.Match(rel)
}

// descends reports whether something in a directory may have to be.
func (r *restoring) descends(rel string) bool {
	o := &r.options
	return (o.Include.Empty() || o.Include.Match(rel) || o.Include.Below(rel)) && !o.Exclude.Match(rel)
}

// leaf decides on something that is not a directory and hands it to the workers.
func (r *restoring) leaf(ctx context.Context, d *place, n *Node) {
	j := restoreJob{dir: d, node: *n, rel: d.rel + "/" + string(n.Name)}
	if !r.selects(j.rel) || !d.make() {
		return
	}
	verdict, err := r.judge(d, n)
	switch {
	case err != nil:
		r.fail(j.path(), n.Type, onTarget(err))
		return
	case verdict == toLeave || r.options.DryRun && verdict == toKeep:
		r.same(j.path(), n)
		return
	case r.options.DryRun:
		r.count.Bytes.Add(n.Size)
		r.done(j.path(), n)
		return
	}
	j.keep = verdict == toKeep
	d.pending.Add(1)
	if !r.links.claim(&j) {
		return // its first name is being restored
	}
	if !j.keep && !r.planCopy(n) {
		expect(r.src, n)
	}
	select {
	case r.jobs <- j:
	case <-ctx.Done():
		d.done()
	}
}

// verdict says what to do about one path.
type verdict int

const (
	toWrite verdict = iota + 1 // nothing is there, or it is to be replaced
	toKeep                     // it is there and seems the same
	toLeave                    // something is there and must stay
)

func (r *restoring) judge(d *place, n *Node) (verdict, error) {
	name := string(n.Name)
	if err := localName(name); err != nil {
		return 0, err
	}
	if d.folder == nil {
		return toWrite, nil
	}
	info, err := d.folder.lstat(name)
	switch {
	case os.IsNotExist(err):
		return toWrite, nil
	case err != nil:
		return 0, err
	case r.options.Overwrite == Never:
		return toLeave, nil
	case r.options.Overwrite == Always:
		return toWrite, nil
	case info.IsDir():
		return 0, fmt.Errorf("%w: a directory", ErrInTheWay)
	case looksSame(d.folder, n, info):
		return toKeep, nil
	}
	return toWrite, nil
}

// looksSame compares without reading content.
func looksSame(in *folder, n *Node, info fs.FileInfo) bool {
	t, ok := typeOf(info.Mode())
	if !ok || t != n.Type {
		return false
	}
	switch t {
	case File:
		return info.Size() == n.Size && TimeOf(info.ModTime()) == n.MTime
	case Symlink:
		target, err := in.readlink(string(n.Name))
		return err == nil && target == string(n.Target)
	case Char, Block:
		now := Node{Type: t}
		fillSystem(&now, info)
		return now.Dev == n.Dev
	}
	return true
}
