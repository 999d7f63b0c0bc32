package pool

import (
	"context"
	"errors"

	"holdfast/internal/ident"
	"holdfast/store"
)

// Tidy leaves one copy of every shard that is on two volumes, one that it has read, and
// takes out of the trash of one volume what is on the shelf of another. It is worth its
// time when a volume has come back, and after a crash. While a volume is away it does
// what it can. It returns how many copies it has taken away.
func (p *Pool) Tidy(ctx context.Context) (taken int, err error) {
	all := p.places()
	if len(all) == 1 {
		return 0, nil
	}
	var last located
	for found, err := range all.merged(ctx, ident.CID{}) {
		switch {
		case errors.Is(err, store.ErrPaused):
		case err != nil:
			return taken, err
		case found.Key != last.Key:
			last = found
		default:
			n, err := p.single(ctx, last, found)
			taken += n
			if err != nil {
				return taken, err
			}
		}
	}
	n, err := p.tidyTrash(ctx, all)
	return taken + n, err
}

// single takes one of two copies away. That a volume is being drained is a reason to
// keep the other one.
func (p *Pool) single(ctx context.Context, a, b located) (taken int, err error) {
	defer p.locks.lock(a.Key)()
	if a.at.draining {
		a, b = b, a
	}
	for _, keep := range []located{a, b} {
		if err := keep.at.verify(ctx, a.Key); err != nil {
			if ignoreAbsent(err) != nil && !errors.Is(err, store.ErrPaused) {
				return 0, err
			}
			continue
		}
		other := places{a.at, b.at}.but(keep.at)
		err := other.all(func(s Shelf) error { return s.Remove(ctx, a.Key) })
		if err == nil {
			taken = 1
		}
		if ignoreAbsent(err) != nil && !errors.Is(err, store.ErrPaused) {
			return taken, err
		}
		return taken, nil
	}
	return 0, nil
}

// tidyTrash takes out of the trash what is on the shelf of another volume.
func (p *Pool) tidyTrash(ctx context.Context, all places) (taken int, err error) {
	for _, at := range all {
		for d, err := range at.discards(ctx, ident.CID{}) {
			if errors.Is(err, store.ErrPaused) {
				break
			}
			if err != nil {
				return taken, err
			}
			n, err := p.leaveTrash(ctx, all, at, d.Key)
			taken += n
			if err != nil {
				return taken, err
			}
		}
	}
	return taken, nil
}

func (p *Pool) leaveTrash(ctx context.Context, all places, at place, key store.Key) (taken int, err error) {
	defer p.locks.lock(key)()
	if !all.but(at).have(ctx, key) {
		return 0, nil
	}
	err = at.ask(func(s Shelf) error { return s.Erase(ctx, key) })
	if err == nil {
		return 1, nil
	}
	if ignoreAbsent(err) == nil || errors.Is(err, store.ErrPaused) {
		return 0, nil
	}
	return 0, err
}
