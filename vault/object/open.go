package object

import (
	"context"
	"errors"
	"io"
	"sync"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// opening is what is kept of a sealed section, so that it is opened once: its file
// key, and the two ends that a ranged read needs besides its range.
type opening struct {
	lock chan struct{} // held by who opens it
	used uint64

	opened bool
	key    seal.FileKey
	head   extent
	tail   extent
}

// sectionName names a sealed section: the first bytes of a segment.
type sectionName struct {
	segment ident.CID
	size    int64
}

// maxOpenings bounds the sections that are remembered, with up to 68 KiB each.
const maxOpenings = 128

// openings keeps those that were used last.
type openings struct {
	mu   sync.Mutex
	m    map[sectionName]*opening
	tick uint64
}

func (o *openings) get(n sectionName) *opening {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m == nil {
		o.m = map[sectionName]*opening{}
	}
	o.tick++
	s := o.m[n]
	if s == nil {
		if len(o.m) >= maxOpenings {
			o.dropOldest()
		}
		s = &opening{lock: make(chan struct{}, 1)}
		o.m[n] = s
	}
	s.used = o.tick
	return s
}

func (o *openings) dropOldest() {
	var oldest sectionName
	least := ^uint64(0)
	for n, s := range o.m {
		if s.used < least {
			oldest, least = n, s.used
		}
	}
	delete(o.m, oldest)
}

func (o *openings) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.m = nil
}

// open opens a section whose sealed bytes are at hand.
func (r *Reader) open(ctx context.Context, n sectionName, src io.ReaderAt) (*seal.Section, error) {
	o := r.openings.get(n)
	select {
	case o.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if o.opened {
		<-o.lock
		return seal.OpenSectionWithKey(src, n.size, o.key)
	}
	defer func() { <-o.lock }()
	s, err := r.unlock(src, n.size)
	if err == nil {
		o.key, o.opened = s.FileKey(), true
	}
	return s, err
}

// unlock tries one identity after another.
func (r *Reader) unlock(src io.ReaderAt, size int64) (*seal.Section, error) {
	err := seal.ErrSealed
	for _, id := range r.cfg.Identities {
		var s *seal.Section
		if s, err = seal.OpenSection(src, size, id); err == nil || !errors.Is(err, seal.ErrSealed) {
			return s, err
		}
	}
	return nil, err
}

// ends fetches the two ends of a section and opens it, unless that has been done.
func (r *Reader) ends(ctx context.Context, t *target, n sectionName) (*opening, error) {
	o := r.openings.get(n)
	select {
	case o.lock <- struct{}{}:
		defer func() { <-o.lock }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if o.opened && o.tail.p != nil {
		return o, nil
	}
	head := extent{0, make([]byte, min(seal.HeadSize, n.size))}
	tail := extent{n.size - min(seal.TailSize, n.size), make([]byte, min(seal.TailSize, n.size))}
	if err := r.readBoth(ctx, t, head, tail); err != nil {
		return nil, err
	}
	if !o.opened {
		s, err := r.unlock(extents{n.size, []extent{head, tail}}, n.size)
		if err != nil {
			return nil, err
		}
		o.key, o.opened = s.FileKey(), true
	}
	o.head, o.tail = head, tail
	return o, nil
}

// readBoth reads two ranges at once.
func (r *Reader) readBoth(ctx context.Context, t *target, a, b extent) error {
	other := make(chan error, 1)
	go func() { other <- r.readRange(ctx, t, b.off, b.p) }()
	err := r.readRange(ctx, t, a.off, a.p)
	return errors.Join(err, <-other)
}

// extent is a part of a sealed file that is at hand.
type extent struct {
	off int64
	p   []byte
}

// extents serves a sealed file of which only parts are at hand.
type extents struct {
	size  int64
	parts []extent
}

// errNotAtHand says that a place led outside of what was fetched for it.
var errNotAtHand = errors.New("bytes outside of the range of the chunk")

// ReadAt implements io.ReaderAt.
func (e extents) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= e.size {
		return 0, io.EOF
	}
	var end error
	if most := e.size - off; int64(len(p)) > most {
		p, end = p[:most], io.EOF
	}
	for _, x := range e.parts {
		if off >= x.off && off+int64(len(p)) <= x.off+int64(len(x.p)) {
			return copy(p, x.p[off-x.off:]), end
		}
	}
	return 0, errNotAtHand
}
