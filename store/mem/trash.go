package mem

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"holdfast/internal/ident"
	"holdfast/store"
)

// discarded is a shard in the trash.
type discarded struct {
	*shard
	why store.Reason
}

func (d discarded) bytes() int64 { return footprint(d.info.Descriptor, d.info.Size) }

// Discard implements store.Trash.
func (s *Shelf) Discard(ctx context.Context, key store.Key, why store.Reason) error {
	if !why.Valid() {
		return fmt.Errorf("discard shard %v: no reason", key)
	}
	err := s.change(ctx, func() error {
		sh := s.shards[key]
		if sh == nil {
			return store.ErrNotFound
		}
		d := discarded{sh, why}
		s.used -= d.bytes()
		s.trashed += d.bytes()
		delete(s.shards, key)
		s.trash[key] = d
		return nil
	})
	if err != nil {
		return fmt.Errorf("discard shard %v: %w", key, err)
	}
	return nil
}

// Discarded implements store.Trash.
func (s *Shelf) Discarded(ctx context.Context, key store.Key) (found store.Discarded, err error) {
	err = s.change(ctx, func() error {
		d, ok := s.trash[key]
		if !ok {
			return store.ErrNotFound
		}
		found = store.Discarded{Key: key, Reason: d.why, Bytes: d.bytes()}
		return nil
	})
	if err != nil {
		return store.Discarded{}, fmt.Errorf("look for shard %v in the trash: %w", key, err)
	}
	return found, nil
}

// Recall implements store.Trash.
func (s *Shelf) Recall(ctx context.Context, key store.Key) error {
	err := s.change(ctx, func() error {
		d, ok := s.trash[key]
		if !ok {
			return store.ErrNotFound
		}
		s.empty(key)
		s.used += d.bytes()
		s.shards[key] = d.shard
		return nil
	})
	if err != nil {
		return fmt.Errorf("recall shard %v: %w", key, err)
	}
	return nil
}

// Erase implements store.Trash.
func (s *Shelf) Erase(ctx context.Context, key store.Key) error {
	err := s.change(ctx, func() error {
		if _, ok := s.trash[key]; !ok {
			return store.ErrNotFound
		}
		s.empty(key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("erase shard %v: %w", key, err)
	}
	return nil
}

func (s *Shelf) change(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

// empty takes a shard out of the trash, if it is there. The caller holds the lock.
func (s *Shelf) empty(key store.Key) {
	if d, ok := s.trash[key]; ok {
		s.trashed -= d.bytes()
		delete(s.trash, key)
	}
}

// Discards implements store.Trash, in the order of keys and as of now.
func (s *Shelf) Discards(ctx context.Context, vault ident.CID) iter.Seq2[store.Discarded, error] {
	return func(yield func(store.Discarded, error) bool) {
		list, err := s.discards(ctx, vault)
		if err != nil {
			yield(store.Discarded{}, fmt.Errorf("list trash: %w", err))
			return
		}
		for _, d := range list {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (s *Shelf) discards(ctx context.Context, vault ident.CID) (list []store.Discarded, err error) {
	err = s.change(ctx, func() error {
		for key, d := range s.trash {
			if !vault.Defined() || key.Vault == vault {
				list = append(list, store.Discarded{Key: key, Reason: d.why, Bytes: d.bytes()})
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b store.Discarded) int { return a.Key.Compare(b.Key) })
	return list, err
}
