package snapshot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// place is a directory of the target while something in it is being restored. It
// is made when the first thing in it is wanted. Its own metadata comes last, when
// the walk and all workers are through with it: only then may it become read-only,
// and only then does its time stay.
type place struct {
	run    *restoring
	parent *place // nil for the target itself
	rel    string // path in the target, a slash before each element
	node   Node

	folder *folder // nil in a dry run where there is none
	made   bool
	bad    bool // it could not be made; that is listed
	found  bool // it was there before
	opened bool // its mode was widened, to be able to write
	was    fs.FileMode

	pending atomic.Int32 // the walk, workers and directories inside
}

func (d *place) child(n *Node) *place {
	c := &place{run: d.run, parent: d, rel: d.rel + "/" + string(n.Name), node: *n}
	c.pending.Store(1)
	d.pending.Add(1)
	return c
}

// path is the path in the snapshot.
func (d *place) path() string { return d.run.base + d.rel }

// make makes the directory, and its parents, if that was not done. Only the walk
// calls it.
func (d *place) make() bool {
	if d.made || d.bad {
		return d.made
	}
	var err error
	switch {
	case !d.parent.make():
		d.bad = true
		return false
	case d.parent.folder != nil:
		err = d.enter()
	}
	if err != nil {
		d.bad = true
		d.run.fail(d.path(), Dir, fmt.Errorf("make directory: %w", err))
		return false
	}
	d.made = true
	return true
}

// enter opens the directory in its parent, and makes it unless it is there.
func (d *place) enter() error {
	in, name, dry := d.parent.folder, string(d.node.Name), d.run.options.DryRun
	if err := localName(name); err != nil {
		return err
	}
	info, err := in.lstat(name)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		return onTarget(err)
	case info.IsDir():
		return d.merge(in, name, info)
	case d.run.options.Overwrite != Always:
		return ErrInTheWay
	case !dry:
		if err := in.root.Remove(name); err != nil {
			return onTarget(err)
		}
	}
	if dry {
		return nil
	}
	if err := in.root.Mkdir(name, 0o700); err != nil {
		return onTarget(err)
	}
	if info, err = in.lstat(name); err != nil {
		return onTarget(err)
	}
	d.folder, err = in.sub(name, info)
	return onTarget(err)
}

// merge opens a directory that was there, and makes it writable for its owner.
func (d *place) merge(in *folder, name string, info fs.FileInfo) error {
	const need = 0o700
	if !d.run.asRoot && !d.run.options.DryRun && info.Mode().Perm()&need != need {
		d.opened, d.was = true, info.Mode()
		if err := in.root.Chmod(name, info.Mode()|need); err != nil {
			return onTarget(err)
		}
	}
	f, err := in.sub(name, info)
	if err != nil {
		return onTarget(err)
	}
	d.folder, d.found = f, true
	return nil
}

// done lets go of the directory. The last one to do so finishes it.
func (d *place) done() {
	for d != nil && d.pending.Add(-1) == 0 {
		d.finish()
		d = d.parent
	}
}

func (d *place) finish() {
	r := d.run
	switch {
	case !d.made || d.parent == nil:
	case r.options.DryRun:
		r.done(d.path(), &d.node)
	default:
		err := d.finishMeta()
		if err != nil {
			r.fail(d.path(), Dir, err)
		}
		r.done(d.path(), &d.node)
	}
	if d.folder != nil {
		d.folder.release()
	}
}

func (d *place) finishMeta() error {
	in, name := d.parent.folder, string(d.node.Name)
	if d.found && d.run.options.Overwrite == Never {
		if !d.opened {
			return nil
		}
		return onTarget(in.root.Chmod(name, d.was))
	}
	return d.run.setMeta(handle{in: in, name: name, file: d.folder.self}, &d.node)
}

// localName refuses names that this system would take for more than one element.
func localName(name string) error {
	if !filepath.IsLocal(name) || filepath.Separator != '/' && strings.ContainsAny(name, `\:`) {
		return fmt.Errorf("name %q cannot be used here", name)
	}
	return nil
}
