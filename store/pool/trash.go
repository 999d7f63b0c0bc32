package pool

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"holdfast/internal/ident"
	"holdfast/store"
)

// Discard implements store.Trash. A shard goes into the trash of its own volume.
func (p *Pool) Discard(ctx context.Context, key store.Key, why store.Reason) error {
	if !why.Valid() {
		return fmt.Errorf("discard shard %v: no reason", key)
	}
	defer p.locks.lock(key)()
	all := p.places()
	if len(all) == 1 {
		return all[0].ask(func(s Shelf) error { return s.Discard(ctx, key, why) })
	}
	at, err := all.shelved(ctx, key)
	if err != nil {
		return fmt.Errorf("discard shard: %w", err)
	}
	if err := all.but(at).clear(ctx, key); err != nil {
		return err
	}
	return at.ask(func(s Shelf) error { return s.Discard(ctx, key, why) })
}

// Discarded implements store.Trash.
func (p *Pool) Discarded(ctx context.Context, key store.Key) (store.Discarded, error) {
	defer p.locks.lock(key)()
	all := p.places()
	at, found, err := all.discarded(ctx, key)
	if err == nil && all.but(at).have(ctx, key) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Discarded{}, fmt.Errorf("look into the trash: %w", err)
	}
	return found, nil
}

// have reports whether a shard is on a shelf.
func (l places) have(ctx context.Context, key store.Key) bool {
	_, err := l.shelved(ctx, key)
	return err == nil
}

// Discards implements store.Trash. If a volume is away, the trash of the others comes
// first, and then store.ErrPaused.
func (p *Pool) Discards(ctx context.Context, vault ident.CID) iter.Seq2[store.Discarded, error] {
	return func(yield func(store.Discarded, error) bool) {
		var away error
		all := p.places()
		for i, at := range all {
			for d, err := range at.discards(ctx, vault) {
				switch {
				case errors.Is(err, store.ErrPaused):
					away = first(away, err)
					continue
				case err == nil && all.elsewhere(ctx, i, d.Key):
					continue
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
		if away != nil {
			yield(store.Discarded{}, away)
		}
	}
}

// discards goes through the trash of one volume.
func (at place) discards(ctx context.Context, vault ident.CID) iter.Seq2[store.Discarded, error] {
	return func(yield func(store.Discarded, error) bool) {
		err := at.ask(func(s Shelf) error {
			for d, err := range s.Discards(ctx, vault) {
				if err != nil {
					return err
				}
				if !yield(d, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(store.Discarded{}, err)
		}
	}
}

// elsewhere reports whether what volume i has in its trash is on another's shelf, or
// was shown already as what an earlier one has in its trash.
func (l places) elsewhere(ctx context.Context, i int, key store.Key) bool {
	if len(l) == 1 {
		return false
	}
	_, _, err := l[:i].discarded(ctx, key)
	return err == nil || l.but(l[i]).have(ctx, key)
}

// Recall implements store.Trash.
func (p *Pool) Recall(ctx context.Context, key store.Key) error {
	defer p.locks.lock(key)()
	all := p.places()
	at, _, err := all.discarded(ctx, key)
	if err != nil {
		return fmt.Errorf("recall shard: %w", err)
	}
	if all.but(at).have(ctx, key) {
		return at.ask(func(s Shelf) error { return s.Erase(ctx, key) })
	}
	return at.ask(func(s Shelf) error { return s.Recall(ctx, key) })
}

// Erase implements store.Trash.
func (p *Pool) Erase(ctx context.Context, key store.Key) error {
	defer p.locks.lock(key)()
	all := p.places()
	if len(all) == 1 {
		return all[0].ask(func(s Shelf) error { return s.Erase(ctx, key) })
	}
	if at, err := all.shelved(ctx, key); err == nil {
		err := all.but(at).all(func(s Shelf) error { return s.Erase(ctx, key) })
		if err == nil {
			err = store.ErrNotFound
		}
		return fmt.Errorf("erase shard %v, which is on the shelf: %w", key, err)
	}
	return all.all(func(s Shelf) error { return s.Erase(ctx, key) })
}
