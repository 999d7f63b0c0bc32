package node

import (
	"bytes"
	"iter"

	"go.etcd.io/bbolt"

	"holdfast/internal/mapped"
	"holdfast/store"
)

// entry is a shard in the book.
type entry struct {
	key store.Key
	record
}

// scanPage is how many records are read in one transaction: that none is open for long
// lets the database reuse its space.
const scanPage = 1024

// scanForget is after how many records the memory for them is given back.
const scanForget = 1 << 15

// scan goes through all records in the order of their keys. What changes meanwhile may or
// may not be seen. After an error nothing more comes.
func (b *book) scan() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		var after []byte
		seen := 0
		for {
			page, err := b.records(after, scanPage)
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < scanPage {
				return
			}
			after = encodeShardKey(page[len(page)-1].key)
			if seen += len(page); seen >= scanForget {
				seen = 0
				if err := mapped.Forget(b.db); err != nil {
					yield(entry{}, err)
					return
				}
			}
		}
	}
}

// records returns up to n records behind a key, nil for the first.
func (b *book) records(after []byte, n int) (list []entry, err error) {
	if err := b.flush(); err != nil {
		return nil, err
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketShards).Cursor()
		k, v := c.Seek(after)
		if after != nil && bytes.Equal(k, after) {
			k, v = c.Next()
		}
		for ; k != nil && len(list) < n; k, v = c.Next() {
			key, err := decodeShardKey(k)
			if err != nil {
				return err
			}
			r, err := decodeRecord(v)
			if err != nil {
				return err
			}
			list = append(list, entry{key, r})
		}
		return nil
	})
	return list, err
}
