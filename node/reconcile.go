package node

import (
	"context"
	"errors"

	"holdfast/internal/ident"
	"holdfast/store"
)

// reconcile makes the book agree with the shelf, from which it may differ after a
// crash: shards that the book does not know are entered as if they had just arrived,
// and those that are not on the shelf are forgotten.
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
	if err := p.forgetMissing(ctx); err != nil {
		return err
	}
	return p.book.dropCharters()
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
		return p.book.forget(k)
	case errors.Is(err, store.ErrCorrupt):
		return nil // found and reported by the shelf; gone the next time
	}
	return err
}
