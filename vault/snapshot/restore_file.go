package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// work is one worker.
func (r *restoring) work(ctx context.Context) {
	var buf []byte // for verifying and copying, made when it is needed
	for j := range r.jobs {
		for again := true; again; {
			if ctx.Err() != nil {
				j.dir.done()
				break
			}
			j, again = r.restore(ctx, j, &buf)
		}
	}
}

// restore puts one thing in its place. It may return another name of the same
// file, that has to be restored instead.
func (r *restoring) restore(ctx context.Context, j restoreJob, buf *[]byte) (next restoreJob, again bool) {
	defer j.dir.done()
	if j.link != nil && r.links.known(j.link) {
		r.linkUp(ctx, &j, buf)
		return restoreJob{}, false
	}
	if err := r.settle(ctx, &j, buf); err != nil {
		if ctx.Err() == nil || errors.Is(err, ErrFull) {
			r.fail(j.path(), j.node.Type, err)
		}
		return r.links.another(&j)
	}
	for _, w := range r.links.done(&j) {
		r.linkUp(ctx, &w, buf)
		w.dir.done()
	}
	return restoreJob{}, false
}

// settle keeps what is there, or writes it anew.
func (r *restoring) settle(ctx context.Context, j *restoreJob, buf *[]byte) error {
	if j.keep && r.options.Verify && j.node.Type == File {
		j.keep = r.verifyFound(ctx, j, buf) == nil
	}
	if j.keep {
		return r.keep(j)
	}
	if err := r.write(ctx, j, buf); err != nil {
		return err
	}
	r.copies.add(&j.node, j.rel)
	r.done(j.path(), &j.node)
	return nil
}

// keep sets the metadata of what is there.
func (r *restoring) keep(j *restoreJob) error {
	h, err := openHandle(j.dir.folder, j.name(), j.node.Type)
	if err != nil {
		return onTarget(err)
	}
	defer h.close()
	if err := r.setMeta(h, &j.node); err != nil {
		r.fail(j.path(), j.node.Type, err)
	}
	r.same(j.path(), &j.node)
	return nil
}

// write makes the thing under a temporary name, complete with metadata, and then
// renames it.
func (r *restoring) write(ctx context.Context, j *restoreJob, buf *[]byte) error {
	temp := r.tempName()
	in := j.dir.folder
	var err error
	switch j.node.Type {
	case File:
		err = r.writeFile(ctx, j, temp, buf)
	case Symlink:
		err = onTarget(in.root.Symlink(string(j.node.Target), temp))
	default:
		err = onTarget(makeSpecial(in, temp, &j.node))
	}
	if err == nil && j.node.Type != File {
		err = r.setMetaOf(j, temp)
	}
	if err == nil {
		err = r.rename(j, temp)
	}
	if err != nil {
		in.root.Remove(temp)
	}
	return err
}

func (r *restoring) setMetaOf(j *restoreJob, temp string) error {
	h, err := openHandle(j.dir.folder, temp, j.node.Type)
	if err != nil {
		return onTarget(err)
	}
	defer h.close()
	if err := r.setMeta(h, &j.node); err != nil {
		r.fail(j.path(), j.node.Type, err)
	}
	return nil
}

// rename gives a complete thing its name. A directory gives way only if it is
// empty, and only to Always.
func (r *restoring) rename(j *restoreJob, temp string) error {
	in, name := j.dir.folder, j.name()
	if info, err := in.lstat(name); err == nil && info.IsDir() {
		if r.options.Overwrite != Always {
			return ErrInTheWay
		}
		if err := in.root.Remove(name); err != nil {
			return fmt.Errorf("%w: a directory: %w", ErrInTheWay, cause(err))
		}
	}
	return onTarget(in.root.Rename(temp, name))
}

func (r *restoring) writeFile(ctx context.Context, j *restoreJob, temp string, buf *[]byte) error {
	in := j.dir.folder
	r.report.tell(Event{Path: j.path(), Type: File, Action: Started, Size: j.node.Size})
	f, err := in.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return onTarget(err)
	}
	err = r.fill(ctx, f, &j.node, buf)
	if err == nil {
		if err := r.setMeta(handle{in: in, name: temp, file: f}, &j.node); err != nil {
			r.fail(j.path(), File, err)
		}
	}
	if err == nil && r.options.Verify {
		err = r.verify(ctx, f, &j.node, buf)
	}
	closed := f.Close()
	if err == nil {
		err = onTarget(closed)
	}
	return err
}

// fill writes a file's data where it belongs; what is left out is a hole.
func (r *restoring) fill(ctx context.Context, f *os.File, n *Node, buf *[]byte) error {
	var end int64
	put := func(off int64, p []byte) error {
		k, err := f.WriteAt(p, off)
		r.count.Bytes.Add(int64(k))
		r.back.wrote(int64(k))
		end = off + int64(k)
		return onTarget(err)
	}
	copied, err := r.copyContent(ctx, n, buf, put)
	if !copied {
		err = placeContent(ctx, r.src, n, put)
	}
	if err == nil && end < n.Size {
		err = onTarget(f.Truncate(n.Size))
	}
	return err
}
