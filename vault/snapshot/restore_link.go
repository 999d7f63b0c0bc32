package snapshot

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
)

// restoredLinks makes names of one file names of one file again. The first name
// that comes up is restored; the others wait for it and are then linked to it.
type restoredLinks struct {
	mu    sync.Mutex
	files map[[2]int64]*restoredLink
}

type restoredLink struct {
	key     [2]int64
	body    [32]byte // names with other content are other files, whatever they say
	first   string   // path in the target
	known   bool     // first is in its place
	waiting []restoreJob
}

// claim reports whether the job is to be done now; if not, it has been taken over
// and waits for another name.
func (l *restoredLinks) claim(j *restoreJob) bool {
	if !j.node.Linked() {
		return true
	}
	body := j.node.body()
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[j.node.Link]
	switch {
	case f == nil:
		j.link = &restoredLink{key: j.node.Link, body: body, first: j.rel}
		l.files[j.node.Link] = j.link
	case f.body != body:
	case f.known:
		j.link = f
	default:
		f.waiting = append(f.waiting, *j)
		return false
	}
	return true
}

func (l *restoredLinks) known(f *restoredLink) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return f.known
}

// done says that a first name is in its place, and returns those that waited.
func (l *restoredLinks) done(j *restoreJob) []restoreJob {
	f := j.link
	if f == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.known = true
	waiting := f.waiting
	f.waiting = nil
	for i := range waiting {
		waiting[i].link = f
	}
	return waiting
}

// another returns a name to be restored in place of a first one that failed.
func (l *restoredLinks) another(j *restoreJob) (restoreJob, bool) {
	f := j.link
	if f == nil {
		return restoreJob{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(f.waiting) == 0 {
		delete(l.files, f.key)
		return restoreJob{}, false
	}
	next := f.waiting[0]
	f.waiting = f.waiting[1:]
	f.first = next.rel
	next.link = f
	return next, true
}

// abandon lets go of names that still wait when a run ends early.
func (l *restoredLinks) abandon() {
	for _, f := range l.files {
		for _, j := range f.waiting {
			j.dir.done()
		}
		f.waiting = nil
	}
}

// linkUp makes another name of a file that is in its place. Where the file system
// knows no such links, the name becomes a file of its own.
func (r *restoring) linkUp(ctx context.Context, j *restoreJob, buf *[]byte) {
	if ctx.Err() != nil {
		return
	}
	if r.linked(j) {
		r.same(j.path(), &j.node)
		return
	}
	err := r.makeLink(j)
	if err != nil && !errors.Is(err, ErrFull) {
		err = r.write(ctx, j, buf)
	}
	if err != nil {
		r.fail(j.path(), j.node.Type, err)
		return
	}
	r.done(j.path(), &j.node)
}

// linked reports whether both names are one file already.
func (r *restoring) linked(j *restoreJob) bool {
	a, errA := r.top.folder.lstat(j.link.first[1:])
	b, errB := j.dir.folder.lstat(j.name())
	return errA == nil && errB == nil && os.SameFile(a, b)
}

func (r *restoring) makeLink(j *restoreJob) error {
	temp := r.tempName()
	at := strings.TrimPrefix(j.dir.rel+"/"+temp, "/")
	if err := r.top.folder.root.Link(j.link.first[1:], at); err != nil {
		return onTarget(err)
	}
	err := r.rename(j, temp)
	j.dir.folder.root.Remove(temp) // it is there still if both were one file already
	return err
}
