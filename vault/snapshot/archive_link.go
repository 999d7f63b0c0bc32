package snapshot

import (
	"context"
	"sync"
)

// archivedLinks makes sure that a file with several names is read once. The first
// name that comes up is read; the others take over its content, when it is known.
type archivedLinks struct {
	mu    sync.Mutex
	files map[[2]uint64]*archivedLink
}

// archivedLink is one file with several names.
type archivedLink struct {
	key     [2]uint64
	first   Node // as it was when it came up
	content Node // what it holds; only if known
	known   bool
	names   uint64 // that came up
	waiting []fileJob
}

// claim reports whether the caller has to read the file. If not, the job is taken
// over: it is finished now or when the first name has been read.
func (l *archivedLinks) claim(ctx context.Context, j *fileJob, id identity, r *archiving) bool {
	l.mu.Lock()
	key := [2]uint64{id.dev, id.ino}
	f := l.files[key]
	if f == nil {
		f = &archivedLink{key: key, first: j.node, names: 1}
		l.files[key] = f
		j.link = f
		l.mu.Unlock()
		return true
	}
	if f.first.Size != j.node.Size || f.first.MTime != j.node.MTime {
		j.node.Link = [2]int64{} // it changed since: another content, so a file of its own
		l.mu.Unlock()
		return true
	}
	if f.names++; f.names >= id.links {
		delete(l.files, key) // no other name will come
	}
	if !f.known {
		f.waiting = append(f.waiting, *j)
		l.mu.Unlock()
		return false
	}
	l.mu.Unlock()
	r.finishLink(ctx, f, *j)
	return false
}

// done gives the content of a first name to those that wait for it. If that name
// was no longer the same file when it was read, another name is returned, to be
// read.
func (l *archivedLinks) done(ctx context.Context, j *fileJob, r *archiving) (fileJob, bool) {
	f := j.link
	if f == nil {
		return fileJob{}, false
	}
	if !j.node.Linked() {
		return l.another(j)
	}
	l.mu.Lock()
	f.content = j.node
	f.known = true
	waiting := f.waiting
	f.waiting = nil
	l.mu.Unlock()
	for _, w := range waiting {
		r.finishLink(ctx, f, w)
	}
	return fileJob{}, false
}

func (r *archiving) finishLink(ctx context.Context, f *archivedLink, j fileJob) {
	j.node.takeContent(&f.content)
	j.node.Xattrs = f.content.Xattrs
	r.finish(ctx, j, Done)
}

// another returns another name of a file whose first name could not be read, to be
// read instead.
func (l *archivedLinks) another(j *fileJob) (fileJob, bool) {
	f := j.link
	if f == nil {
		return fileJob{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(f.waiting) == 0 {
		if l.files[f.key] == f {
			delete(l.files, f.key)
		}
		return fileJob{}, false
	}
	next := f.waiting[0]
	f.waiting = f.waiting[1:]
	next.link = f
	f.first = next.node
	return next, true
}
