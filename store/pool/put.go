package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"holdfast/store"
)

// This file holds the rule of which volume a shard goes to.

// Put implements store.Shelf. A shard that is on a volume stays there. A new one goes to
// the volume with the most free space, puts under way counted, or if that has none for
// it to the next one.
func (p *Pool) Put(ctx context.Context, key store.Key, descriptor []byte, r io.Reader) error {
	d, err := key.Describes(descriptor)
	if err != nil {
		return fmt.Errorf("put shard %v: %w", key, err)
	}
	a, err := p.arrive(ctx, key)
	if err != nil {
		return fmt.Errorf("put shard %v: %w", key, err)
	}
	defer p.leave(key, a)
	stream := &untouched{Reader: r}
	at, err := a.order.take(stream, d.RowSize(), func(s Shelf) error { return s.Put(ctx, key, descriptor, stream) })
	if err != nil {
		return err
	}
	return p.settle(ctx, key, at)
}

// take tries one volume after another until one takes the shard. Once a byte of the
// stream has been read there is no other try.
func (l places) take(r *untouched, size int64, put func(s Shelf) error) (at place, err error) {
	err = store.ErrFull // if there is no volume to ask
	for _, at = range l {
		at.coming.Add(size)
		var said error
		err = at.ask(func(s Shelf) error {
			said = put(s)
			return said
		})
		at.coming.Add(-size)
		if r.failed {
			err = said // it says nothing about the volume, whatever it wraps
		}
		if err == nil || r.read || !errors.Is(err, store.ErrFull) && !errors.Is(err, store.ErrPaused) {
			return at, err
		}
	}
	return at, err
}

// untouched knows whether a stream has been read from, and whether that has failed.
type untouched struct {
	io.Reader
	read, failed bool
}

func (u *untouched) Read(p []byte) (int, error) {
	u.read = true
	n, err := u.Reader.Read(p)
	u.failed = u.failed || err != nil && !errors.Is(err, io.EOF)
	return n, err
}

// arrival is a shard that is being put, perhaps by several at once: all go to the same
// volumes, so that they find each other there.
type arrival struct {
	ready chan struct{} // closed when the rest is known
	order places        // to be tried in this order
	err   error
	users int // under the pool's lock
}

// arrive enters a shard before anything is found out about it, so that whoever removes a
// volume knows who may still want to put on it.
func (p *Pool) arrive(ctx context.Context, key store.Key) (*arrival, error) {
	p.mu.Lock()
	a, others := p.arrivals[key]
	if !others {
		a = &arrival{ready: make(chan struct{})}
		p.arrivals[key] = a
	}
	a.users++
	p.mu.Unlock()
	if !others {
		// Not with this caller's context: others wait for it.
		a.order, a.err = p.places().order(context.WithoutCancel(ctx), key)
		close(a.ready)
	}
	select {
	case <-a.ready:
		if err := first(ctx.Err(), a.err); err != nil {
			p.leave(key, a)
			return nil, err
		}
		return a, nil
	case <-ctx.Done(): // the other one waits for a disk
		p.leave(key, a)
		return nil, ctx.Err()
	}
}

func (p *Pool) leave(key store.Key, a *arrival) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.users--; a.users == 0 {
		delete(p.arrivals, key)
	}
}

// awaited reports whether a put under way may go to a volume.
func (p *Pool) awaited(v *volume) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.arrivals {
		select {
		case <-a.ready:
		default:
			return true
		}
		if slices.ContainsFunc(a.order, func(at place) bool { return at.volume == v }) {
			return true
		}
	}
	return false
}

// order says which volumes a shard can be put on, the best first.
func (l places) order(ctx context.Context, key store.Key) (places, error) {
	if len(l) == 1 {
		return l, nil
	}
	if at, err := l.shelved(ctx, key); err == nil {
		return places{at}, nil
	}
	open, err := l.open()
	if err != nil {
		return nil, err
	}
	open.byFreeSpace(ctx)
	// The trash of its own volume is emptied by the put itself.
	if at, _, err := open.discarded(ctx, key); err == nil {
		open = append(places{at}, open.but(at)...)
	}
	return open, nil
}

// open returns the volumes that take new shards. It is store.ErrPaused if none of the
// volumes is there.
func (l places) open() (places, error) {
	open, there := places{}, false
	for _, at := range l {
		there = there || at.shelf != nil
		if at.shelf != nil && !at.draining {
			open = append(open, at)
		}
	}
	if !there && len(l) > 0 {
		return nil, l[0].why
	}
	return open, nil
}

// byFreeSpace sorts volumes, the one with the most first.
func (l places) byFreeSpace(ctx context.Context) {
	if len(l) < 2 {
		return
	}
	free := make(map[*volume]int64, len(l))
	for _, at := range l {
		free[at.volume] = at.free(ctx)
	}
	slices.SortStableFunc(l, func(a, b place) int { return cmp.Compare(free[b.volume], free[a.volume]) })
}

// free is what can still be put on a volume, nothing if that cannot be found out.
func (at place) free(ctx context.Context) (n int64) {
	_ = at.ask(func(s Shelf) error {
		u, err := s.Usage(ctx)
		if err != nil {
			return err
		}
		n = u.Capacity - u.Used
		if at.Free != nil {
			n = min(n, at.Free(u))
		}
		n -= at.coming.Load()
		return nil
	})
	return n
}

// settle makes sure that a shard which was put is on that volume alone, and in no trash.
// If it has been moved meanwhile it is somewhere else, and if it was being moved from
// trash to trash it is called back. What is on a volume that is away is found by Tidy.
func (p *Pool) settle(ctx context.Context, key store.Key, at place) error {
	all := p.places()
	if len(all) == 1 {
		return nil
	}
	defer p.locks.lock(key)()
	if (places{at}).have(ctx, key) {
		return all.but(at).clear(ctx, key)
	}
	if all.have(ctx, key) {
		return nil
	}
	err := all.all(func(s Shelf) error { return s.Recall(ctx, key) })
	if errors.Is(err, store.ErrNotFound) {
		return nil // removed since
	}
	return err
}

// clear takes a shard away from volumes on which it has no business.
func (l places) clear(ctx context.Context, key store.Key) error {
	for _, f := range []func(s Shelf) error{
		func(s Shelf) error { return s.Remove(ctx, key) },
		func(s Shelf) error { return s.Erase(ctx, key) },
	} {
		err := l.all(f)
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrPaused) {
			return err
		}
	}
	return nil
}
