package node

import (
	"errors"

	"holdfast/store"
)

// This file holds what the book does when a shard goes into the trash, comes back,
// and is erased. The shelf is the truth and the book follows it: a crash between the
// two is put right when they are reconciled.

// retire calls discard, and marks the shard as one in the trash if that succeeds,
// unless the shard is no certified one. Nobody can be promised it meanwhile.
func (b *book) retire(key store.Key, discard func() error) (gone bool, err error) {
	b.letting.Lock()
	defer b.letting.Unlock()
	r, known, err := b.get(key)
	if err != nil || !known || r.Trashed || !r.Certified {
		return false, err
	}
	if err := discard(); err != nil {
		return false, err
	}
	return true, b.trashed(key, r.Size, true)
}

// recall calls back, and marks the shard as one on the shelf if that succeeds. Its
// tombstone, which it has if it was about to be erased, goes.
func (b *book) recall(d store.Discarded, back func() error) error {
	b.letting.Lock()
	defer b.letting.Unlock()
	if err := back(); err != nil {
		return err
	}
	return errors.Join(b.trashed(d.Key, d.Bytes, false), b.unbury(d.Key))
}

// erase calls erase, and forgets the shard if that succeeds, unless it is on the shelf.
func (b *book) erase(key store.Key, erase func() error) (gone bool, err error) {
	b.letting.Lock()
	defer b.letting.Unlock()
	r, known, err := b.get(key)
	if err != nil || known && !r.Trashed {
		return false, err
	}
	if err := erase(); err != nil {
		return false, err
	}
	return true, b.forget(key)
}

// trashed says where a shard is. One that the book does not know is entered as if it
// had just arrived.
func (b *book) trashed(key store.Key, size int64, in bool) error {
	return b.change(key, func(r record, known bool) (record, bool) {
		if !known {
			r = record{Size: size, Until: b.holdUntil()}
		}
		r.Trashed = in
		return r, true
	})
}
