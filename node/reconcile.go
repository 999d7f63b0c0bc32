package node

import (
	"context"
	"errors"

	"holdfast/internal/ident"
	"holdfast/store"
)

// reconcile makes the book agree with the shelf, from which it may differ after a
// crash: shards that the book does not know are entered as if they had just arrived,
// those in the trash are marked, and those that are in neither are forgotten. What is
// too old to be remembered goes.
func (p *parts) reconcile(ctx context.Context) error {
	for info, err := range p.shelf.List(ctx, ident.CID{}) {
		if err != nil {
			return err
		}
		if err := p.book.found(info.Key, info.Size); err != nil {
			return err
		}
		if err := p.book.relieve(); err != nil {
			return err
		}
	}
	for d, err := range p.shelf.Discards(ctx, ident.CID{}) {
		if err != nil {
			return err
		}
		if err := p.enterTrashed(ctx, d.Key); err != nil {
			return err
		}
	}
	if err := p.forgetMissing(ctx); err != nil {
		return err
	}
	return errors.Join(p.book.dropCharters(), p.book.pruneReleases(), p.book.pruneTombs(maxTombs))
}

// enterTrashed marks a shard that is in the trash. One that the book does not know is
// entered with the size of its file, a little more than the payload's.
func (p *parts) enterTrashed(ctx context.Context, k store.Key) error {
	p.book.letting.Lock()
	defer p.book.letting.Unlock()
	d, err := p.shelf.Discarded(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = p.book.trashed(k, d.Bytes, true)
	}
	return errors.Join(err, p.book.relieve())
}

// reconcilePage is how many shards are looked at in one go.
const reconcilePage = 1024

func (p *parts) forgetMissing(ctx context.Context) error {
	var after store.Key
	for {
		keys, next, err := p.book.page(after, reconcilePage, func(record) bool { return true })
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := p.forgetIfMissing(ctx, k); err != nil {
				return err
			}
		}
		if !next.Vault.Defined() {
			return nil
		}
		after = next
	}
}

// forgetIfMissing asks the shelf and forgets with no put of the same shard between.
func (p *parts) forgetIfMissing(ctx context.Context, k store.Key) error {
	p.book.letting.Lock()
	defer p.book.letting.Unlock()
	_, err := p.shelf.Stat(ctx, k)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		if _, err := p.shelf.Discarded(ctx, k); err == nil {
			return p.book.trashed(k, 0, true)
		}
		return p.book.forget(k)
	case errors.Is(err, store.ErrCorrupt):
		return nil // found and reported by the shelf; gone the next time
	}
	return err
}
