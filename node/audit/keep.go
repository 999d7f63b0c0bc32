package audit

import (
	"bytes"
	"errors"
	"maps"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
)

// keep forgets all vaults but these: this node is no member of any other any more.
func (b *Board) keep(vaults map[ident.CID]bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	gone := map[ident.CID]bool{}
	for at := range b.holders {
		if !vaults[at.vault] {
			gone[at.vault] = true
		}
	}
	if len(gone) == 0 {
		return nil
	}
	err := b.update(func(tx *bbolt.Tx) error {
		var errs []error
		for vault := range gone {
			for _, bucket := range [][]byte{bucketHolders, bucketDoubts, bucketMissing} {
				errs = append(errs, drop(tx.Bucket(bucket), vault.Bytes()))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return err
	}
	of := func(at place) bool { return at.vault.Defined() && !vaults[at.vault] }
	maps.DeleteFunc(b.holders, func(at place, _ *record) bool { return of(at) })
	maps.DeleteFunc(b.changed, func(at place, _ bool) bool { return of(at) })
	return nil
}

// drop removes the rows whose keys begin with a prefix.
func drop(bucket *bbolt.Bucket, prefix []byte) error {
	c := bucket.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Seek(prefix) {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
