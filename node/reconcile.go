package node

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"holdfast/internal/ident"
	"holdfast/store"
)

// reconcile makes the book agree with the shelf, from which it may differ after a
// crash, or when a volume has come back: shards that the book does not know are entered
// as if they had just arrived, those in the trash are marked, and those that are in
// neither are forgotten. What is too old to be remembered goes.
//
// Both are gone through once, in the order of keys; no file is opened but for what they
// do not agree about.
func (p *parts) reconcile(ctx context.Context) error {
	trouble := p.putRight(ctx)
	if err := p.compare(ctx); err != nil {
		return errors.Join(trouble, err)
	}
	for d, err := range p.shelf.Discards(ctx, ident.CID{}) {
		if errors.Is(err, store.ErrPaused) {
			break // of one volume nothing can be said
		}
		if err != nil {
			return err
		}
		if err := p.enterTrashed(ctx, d.Key); err != nil {
			return err
		}
	}
	return errors.Join(trouble, p.book.dropCharters(), p.book.pruneReleases(), p.book.pruneTombs(maxTombs))
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

// putRight makes the volumes agree with themselves: an index that may be wrong is made
// again, files that are gone are noticed, and of two copies one goes.
func (p *parts) putRight(ctx context.Context) error {
	var errs []error
	for _, d := range p.disks.all() {
		look := d.Survey
		if d.Stale() {
			look = d.Rebuild
		}
		err := look(ctx)
		if err != nil && !errors.Is(err, store.ErrPaused) && !errors.Is(err, fs.ErrClosed) {
			errs = append(errs, err)
		}
	}
	_, err := p.shelf.Tidy(ctx)
	return errors.Join(append(errs, err)...)
}

// compare goes through book and shelf side by side.
func (p *parts) compare(ctx context.Context) error {
	c := comparison{parts: p}
	var stop func()
	c.next, stop = iter.Pull2(p.book.scan())
	defer stop()
	c.advance()
	for info, err := range p.shelf.List(ctx, ident.CID{}) {
		if errors.Is(err, store.ErrPaused) {
			break // of one volume nothing can be said
		}
		if err == nil {
			err = c.before(ctx, info.Key)
		}
		if err != nil {
			return err
		}
		if c.more && c.known.key == info.Key {
			trashed := c.known.Trashed
			c.advance()
			if !trashed {
				continue
			}
		}
		if err := errors.Join(p.book.found(info.Key, info.Size), p.book.relieve()); err != nil {
			return err
		}
	}
	return c.before(ctx, store.Key{})
}

// comparison is at one of the book's records.
type comparison struct {
	*parts
	next  func() (entry, error, bool)
	known entry
	err   error
	more  bool
}

func (c *comparison) advance() { c.known, c.err, c.more = c.next() }

// before settles what the book has in front of a key, or all the rest for the zero key:
// the shelf has not listed it.
func (c *comparison) before(ctx context.Context, key store.Key) error {
	for ; c.more && (key == store.Key{} || c.known.key.Compare(key) < 0); c.advance() {
		if err := errors.Join(c.err, ctx.Err()); err != nil {
			return err
		}
		if err := c.forgetIfMissing(ctx, c.known.key); err != nil && !errors.Is(err, store.ErrPaused) {
			return err
		}
	}
	return nil
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
