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
	used     uint64        // under the lock of the openings
	fetching chan struct{} // held by who fetches the two ends

	mu     sync.Mutex // never held while anybody waits
	opened bool
	key    seal.FileKey
	ends   *ends // nil until they were fetched
}

// ends are the first and the last bytes of a sealed section.
type ends struct{ head, tail extent }

// fileKey returns the section's file key, if it is known.
func (o *opening) fileKey() (seal.FileKey, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.key, o.opened
}

func (o *opening) setKey(key seal.FileKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.key, o.opened = key, true
}

// both returns the file key and the two ends, if they have been fetched.
func (o *opening) both() (seal.FileKey, *ends) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.opened {
		return o.key, nil
	}
	return o.key, o.ends
}

func (o *opening) setEnds(e *ends) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends = e
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
		s = &opening{fetching: make(chan struct{}, 1)}
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

// open opens a section whose sealed bytes are at hand. It waits for nobody: who
// fetches the ends of the same section may have to wait for a slow holder.
func (r *Reader) open(n sectionName, src io.ReaderAt) (*seal.Section, error) {
	o := r.openings.get(n)
	if key, ok := o.fileKey(); ok {
		return seal.OpenSectionWithKey(src, n.size, key)
	}
	s, err := r.unlock(src, n.size)
	if err == nil {
		o.setKey(s.FileKey())
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
func (r *Reader) ends(ctx context.Context, t *target, n sectionName) (seal.FileKey, *ends, error) {
	o := r.openings.get(n)
	select {
	case o.fetching <- struct{}{}:
		defer func() { <-o.fetching }()
	case <-ctx.Done():
		return seal.FileKey{}, nil, context.Cause(ctx)
	}
	if key, e := o.both(); e != nil {
		return key, e, nil
	}
	e := &ends{
		head: extent{0, make([]byte, min(seal.HeadSize, n.size))},
		tail: extent{n.size - min(seal.TailSize, n.size), make([]byte, min(seal.TailSize, n.size))},
	}
	if err := r.readBoth(ctx, t, e.head, e.tail); err != nil {
		return seal.FileKey{}, nil, err
	}
	key, ok := o.fileKey()
	if !ok {
		s, err := r.unlock(extents{n.size, []extent{e.head, e.tail}}, n.size)
		if err != nil {
			return seal.FileKey{}, nil, err
		}
		key = s.FileKey()
		o.setKey(key)
	}
	o.setEnds(e)
	return key, e, nil
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
