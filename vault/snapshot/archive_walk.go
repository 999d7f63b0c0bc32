package snapshot

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
)

// visit is one name that the walk has come to.
type visit struct {
	in     *folder
	name   string
	src    *sources // what was given there or below; nil for nothing
	dev    identity // of the given path that the walk began at
	parent *pendingDir
}

// path is the path in the snapshot.
func (v *visit) path() string { return v.parent.path + "/" + v.nodeName() }

// named reports whether the path itself was given: no rule leaves it out.
func (v *visit) named() bool { return v.src != nil && v.src.given }

// walkSources goes down from the root to what was given. Directories on the way
// are stored with what is known of them, and nothing else in them.
func (r *archiving) walkSources(ctx context.Context, s *sources, d *pendingDir) {
	if s.given { // the root itself
		r.walkRoot(ctx, s, d)
	} else {
		r.walkChildren(ctx, s, d)
	}
	d.leave(ctx)
}

func (r *archiving) walkChildren(ctx context.Context, s *sources, d *pendingDir) {
	for _, c := range s.sorted() {
		if ctx.Err() != nil {
			return
		}
		if !c.given {
			r.walkAncestor(ctx, c, d)
			continue
		}
		in := folderByPath(filepath.Dir(c.path))
		r.visit(ctx, visit{in: in, name: filepath.Base(c.path), src: c, parent: d})
	}
}

func (r *archiving) walkAncestor(ctx context.Context, s *sources, parent *pendingDir) {
	d := newPendingDir(r, parent, r.ancestor(s))
	d.slot.way = true
	r.walkSources(ctx, s, d)
}

// walkRoot walks the whole file system.
func (r *archiving) walkRoot(ctx context.Context, s *sources, d *pendingDir) {
	f, err := openFolder(s.path)
	if err != nil {
		r.skip("/", Dir, err)
		return
	}
	defer f.release()
	var dev identity
	if info, err := f.self.Stat(); err == nil {
		_, dev, _ = r.owners.meta("root", info)
	}
	r.found.Add(1)
	r.walkFolder(ctx, f, visit{src: s, dev: dev}, d)
}

// ancestor describes a directory on the way to a given path; a symbolic link
// there counts as the directory that it leads to.
func (r *archiving) ancestor(s *sources) Node {
	info, err := os.Stat(s.path)
	if err == nil && info.IsDir() {
		n, _, _ := r.owners.meta(s.name, info)
		in := folderByPath(filepath.Dir(s.path))
		n.Xattrs, _ = in.xattrs(filepath.Base(s.path))
		return n
	}
	return Node{Name: []byte(s.name), Type: Dir, Mode: 0o700, MTime: TimeOf(r.options.Now())}
}

// visit stores one name, or lists it.
func (r *archiving) visit(ctx context.Context, v visit) {
	if ctx.Err() != nil {
		return
	}
	info, err := v.in.lstat(v.name)
	if err != nil {
		if v.src == nil {
			err = vanished(err)
		}
		r.skip(v.path(), "", err)
		return
	}
	n, id, ok := r.owners.meta(v.nodeName(), info)
	if !ok {
		r.skip(v.path(), "", fs.ErrInvalid)
		return
	}
	if v.named() {
		v.dev = id
	} else if r.leavesOut(&v, &n, id) {
		r.report.tell(Event{Path: v.path(), Type: n.Type, Action: Excluded})
		if v.src != nil {
			r.walkAncestor(ctx, v.src, v.parent)
		}
		return
	}
	switch n.Type {
	case Dir:
		r.visitDir(ctx, v, n, id, info)
	case File:
		r.visitFile(ctx, v, n, id, info)
	default:
		r.visitOther(ctx, v, n)
	}
}

// nodeName is the name in the snapshot, which differs from the one in the file
// system only for a volume that was given.
func (v *visit) nodeName() string {
	if v.named() {
		return v.src.name
	}
	return v.name
}

func vanished(err error) error {
	if os.IsNotExist(err) {
		return errVanished
	}
	return err
}

// leavesOut applies the rules to something that was not given by name.
func (r *archiving) leavesOut(v *visit, n *Node, id identity) bool {
	path := v.path()
	if r.options.Exclude.matchItself(path) {
		return true
	}
	for _, f := range r.options.Excludes {
		if f(path, n) {
			return true
		}
	}
	return n.Type != Dir && r.foreign(v, id)
}

// foreign reports whether something lies on another file system than the walk.
func (r *archiving) foreign(v *visit, id identity) bool {
	return r.options.OneFileSystem && id.known && v.dev.known && id.dev != v.dev.dev
}

func (r *archiving) visitDir(ctx context.Context, v visit, n Node, id identity, info fs.FileInfo) {
	path := v.path()
	if v.parent.level >= maxDepth-1 {
		r.skip(path, Dir, errDepth)
		return
	}
	f, err := v.in.sub(v.name, info)
	if err != nil {
		r.skip(path, Dir, vanished(err))
		return
	}
	defer f.release()
	n.Xattrs = r.xattrs(path, func() ([]Xattr, error) { return fileXattrs(f.self) })
	d := newPendingDir(r, v.parent, n)
	if r.foreign(&v, id) {
		r.walkChildren(ctx, v.src, d)
	} else {
		r.walkFolder(ctx, f, v, d)
	}
	d.leave(ctx)
	r.count.Dirs.Add(1)
	r.report.tell(Event{Path: path, Type: Dir, Action: Done})
}

// walkFolder visits what is in a directory.
func (r *archiving) walkFolder(ctx context.Context, f *folder, v visit, d *pendingDir) {
	names, err := f.names()
	if err != nil {
		r.skip(d.path, Dir, err)
	}
	only, tagged := r.tagIn(f)
	for _, name := range v.src.merge(names) {
		if ctx.Err() != nil {
			return
		}
		under := v.src.under(name)
		if tagged && name != only && under == nil {
			r.report.tell(Event{Path: d.path + "/" + name, Action: Excluded})
			continue
		}
		r.visit(ctx, visit{in: f, name: name, src: under, dev: v.dev, parent: d})
	}
}

// visitOther stores what has no content: links, devices, pipes, sockets.
func (r *archiving) visitOther(ctx context.Context, v visit, n Node) {
	path := v.path()
	if n.Type == Symlink {
		target, err := v.in.readlink(v.name)
		if err != nil {
			r.skip(path, n.Type, vanished(err))
			return
		}
		n.Target = []byte(target)
	}
	n.Xattrs = r.xattrs(path, func() ([]Xattr, error) { return v.in.xattrs(v.name) })
	v.parent.fill(ctx, v.parent.reserve(ctx), n)
	r.count.Others.Add(1)
	r.report.tell(Event{Path: path, Type: n.Type, Action: Done})
}

// xattrs reads extended attributes; a failure is listed, and what was read kept.
func (r *archiving) xattrs(path string, read func() ([]Xattr, error)) []Xattr {
	if r.sink == nil {
		return nil
	}
	x, err := read()
	if err != nil {
		r.unread.add(path, err)
		r.count.Failed.Add(1)
		r.report.tell(Event{Path: path, Action: Failed, Err: err})
	}
	return x
}
