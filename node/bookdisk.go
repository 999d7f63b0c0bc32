package node

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/store"
)

// relieve keeps the backlog bounded even if the book cannot be written.
func (b *book) relieve() error {
	b.mu.Lock()
	waiting := len(b.pending)
	b.mu.Unlock()
	if waiting < maxPending {
		return nil
	}
	return b.flush()
}

// flush writes what is behind, in one transaction. What cannot be written stays
// behind.
func (b *book) flush() error {
	b.flushing.Lock()
	defer b.flushing.Unlock()
	b.mu.Lock()
	batch := b.pending
	b.pending, b.writing = map[store.Key]change{}, batch
	b.mu.Unlock()
	var err error
	if len(batch) > 0 {
		err = b.db.Update(func(tx *bbolt.Tx) error { return writeChanges(tx, batch) })
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing = nil
	if err == nil {
		return nil
	}
	maps.Copy(batch, b.pending) // what came meanwhile is newer
	b.pending = batch
	return fmt.Errorf("write book: %w", err)
}

// writeChanges writes records, and what they change of the accounts.
func writeChanges(tx *bbolt.Tx, batch map[store.Key]change) error {
	shards := tx.Bucket(bucketShards)
	changed := newAccounts()
	for key, c := range batch {
		k := encodeShardKey(key)
		if old := shards.Get(k); old != nil {
			r, err := decodeRecord(old)
			if err != nil {
				return err
			}
			changed.add(key, r, -1)
		}
		if c.gone {
			if err := shards.Delete(k); err != nil {
				return err
			}
			continue
		}
		changed.add(key, c.record, 1)
		if err := shards.Put(k, encodeRecord(c.record)); err != nil {
			return err
		}
	}
	return writeAccounts(tx.Bucket(bucketAccounts), changed)
}

func writeAccounts(bucket *bbolt.Bucket, changed accounts) error {
	for of, u := range changed.devices {
		k, _ := encodeAccount(of, u)
		if old := bucket.Get(k); old != nil {
			_, before, err := decodeAccount(k, old)
			if err != nil {
				return err
			}
			u = u.plus(before)
		}
		if u == (usage{}) {
			if err := bucket.Delete(k); err != nil {
				return err
			}
			continue
		}
		k, v := encodeAccount(of, u)
		if err := bucket.Put(k, v); err != nil {
			return err
		}
	}
	return nil
}

// page returns up to limit shards in the order of their keys, behind after, for
// which pick says yes. The last page comes with the zero key; the first is behind it.
func (b *book) page(after store.Key, limit int, pick func(record) bool) (keys []store.Key, next store.Key, err error) {
	if err := b.flush(); err != nil {
		return nil, next, err
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketShards).Cursor()
		k, v := c.First()
		if after.Vault.Defined() {
			from := encodeShardKey(after)
			if k, v = c.Seek(from); bytes.Equal(k, from) {
				k, v = c.Next()
			}
		}
		for ; k != nil; k, v = c.Next() {
			if len(keys) == limit {
				next = keys[limit-1]
				return nil
			}
			key, err := decodeShardKey(k)
			if err != nil {
				return err
			}
			r, err := decodeRecord(v)
			if err != nil {
				return err
			}
			if pick(r) {
				keys = append(keys, key)
			}
		}
		return nil
	})
	return keys, next, err
}

// keepCharter remembers, durably, by which charter a vault's shards came, so that
// its members can be asked later.
func (b *book) keepCharter(vault ident.CID, charter ident.Signed) error {
	if b.hasCharter(vault) {
		return nil
	}
	p, err := wire.Encode(charter)
	if err != nil {
		return fmt.Errorf("keep charter: %w", err)
	}
	err = b.db.Update(func(tx *bbolt.Tx) error {
		charters := tx.Bucket(bucketCharters)
		if charters.Get(vault.Bytes()) == nil && charters.Stats().KeyN >= maxVaults {
			return fmt.Errorf("%w: shards of %d vaults are here", store.ErrFull, maxVaults)
		}
		return charters.Put(vault.Bytes(), p)
	})
	if err != nil {
		return fmt.Errorf("keep charter: %w", err)
	}
	return nil
}

func (b *book) hasCharter(vault ident.CID) (known bool) {
	err := b.db.View(func(tx *bbolt.Tx) error {
		known = tx.Bucket(bucketCharters).Get(vault.Bytes()) != nil
		return nil
	})
	return known && err == nil
}

// dropCharters forgets the charters of vaults that have nothing here any more, and how
// far their releases were read. Who
// puts a shard reserves its place first, so that its charter is not dropped.
func (b *book) dropCharters() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.db.Update(func(tx *bbolt.Tx) error {
		charters := tx.Bucket(bucketCharters)
		var unused [][]byte
		err := charters.ForEach(func(k, _ []byte) error {
			vault, err := ident.CIDFromBytes(k)
			if err != nil || b.vaults[vault] == (usage{}) && b.arrive[vault] == 0 {
				unused = append(unused, bytes.Clone(k))
			}
			return nil
		})
		for _, k := range unused {
			if err == nil {
				err = errors.Join(charters.Delete(k), dropPrefix(tx.Bucket(bucketChains), k), dropPrefix(tx.Bucket(bucketCursors), k), tx.Bucket(bucketOwners).Delete(k))
			}
		}
		return err
	})
}

func dropPrefix(bucket *bbolt.Bucket, prefix []byte) error {
	var keys [][]byte
	c := bucket.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// charter returns what keepCharter kept.
func (b *book) charter(vault ident.CID) (charter ident.Signed, known bool, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketCharters).Get(vault.Bytes())
		if v == nil {
			return nil
		}
		known = true
		return wire.Decode(bytes.Clone(v), &charter)
	})
	if err != nil {
		return ident.Signed{}, false, fmt.Errorf("read charter of vault %v: %w", vault, err)
	}
	return charter, known, nil
}
