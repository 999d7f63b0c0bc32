package pool

import (
	"context"
	"errors"
	"fmt"

	"holdfast/store"
)

// This file holds the rule of what is said about a shard that no volume shows.

// misses collects what volumes say that have not got a shard.
type misses struct{ trouble, away, corrupt error }

func (m *misses) add(err error) {
	switch {
	case errors.Is(err, store.ErrPaused):
		m.away = first(m.away, err)
	case errors.Is(err, store.ErrNotFound):
	case errors.Is(err, store.ErrCorrupt):
		m.corrupt = first(m.corrupt, err)
	default:
		m.trouble = first(m.trouble, err)
	}
}

// err is what is said if nobody had the shard.
//
// SPEC: a paused disk means ErrPaused and never ErrNotFound: the shard may be there.
func (m *misses) err() error {
	return first(m.trouble, m.away, m.corrupt, store.ErrNotFound)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// find asks one volume after another, and returns the first that says yes.
func (l places) find(f func(s Shelf) error) (place, error) {
	var none misses
	for _, at := range l {
		err := at.ask(f)
		if err == nil {
			return at, nil
		}
		none.add(err)
	}
	return place{}, none.err()
}

// all asks every volume. It is nil if one at least has said yes and none is in trouble.
func (l places) all(f func(s Shelf) error) error {
	var none misses
	done := false
	for _, at := range l {
		err := at.ask(f)
		done = done || err == nil
		if err != nil {
			none.add(err)
		}
	}
	if done {
		return none.trouble
	}
	return none.err()
}

// shelved returns the volume that has a shard on its shelf.
func (l places) shelved(ctx context.Context, key store.Key) (place, error) {
	return l.find(func(s Shelf) error {
		_, err := s.Stat(ctx, key)
		return err
	})
}

// discarded returns the volume that has a shard in its trash.
func (l places) discarded(ctx context.Context, key store.Key) (at place, found store.Discarded, err error) {
	at, err = l.find(func(s Shelf) (err error) {
		found, err = s.Discarded(ctx, key)
		return err
	})
	return at, found, err
}

// look is find for those who do not hold the key's lock. Without it, a shard that is
// being moved can be missed: it comes to one volume after that was asked, and leaves
// another one before that is.
func (p *Pool) look(key store.Key, f func(s Shelf) error) (place, error) {
	all := p.places()
	at, err := all.find(f)
	if err == nil || len(all) == 1 {
		return at, err
	}
	defer p.locks.lock(key)()
	return p.places().find(f)
}

// Open implements store.Shelf.
func (p *Pool) Open(ctx context.Context, key store.Key) (shard store.Shard, err error) {
	_, err = p.look(key, func(s Shelf) (err error) {
		shard, err = s.Open(ctx, key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find shard: %w", err)
	}
	return shard, nil
}

// Stat implements store.Shelf.
func (p *Pool) Stat(ctx context.Context, key store.Key) (info store.Info, err error) {
	_, err = p.look(key, func(s Shelf) (err error) {
		info, err = s.Stat(ctx, key)
		return err
	})
	if err != nil {
		return store.Info{}, fmt.Errorf("find shard: %w", err)
	}
	return info, nil
}

// Remove implements store.Shelf.
func (p *Pool) Remove(ctx context.Context, key store.Key) error {
	defer p.locks.lock(key)()
	return p.places().all(func(s Shelf) error { return s.Remove(ctx, key) })
}
