package audit

import (
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// Promised forgets that shards of a holder are missing, or in doubt, where that was found
// out before the time at which the holder has signed that it has them: after a repair. What
// was found out since stays, so that an old receipt, shown again, hides nothing.
func (b *Board) Promised(vault ident.CID, node ident.PublicKey, at time.Time, shards ...custody.Shard) error {
	holder, found := place{vault, node}, int64(0)
	before := func(v []byte) bool {
		return len(v) == 8 && int64(binary.BigEndian.Uint64(v)) < ledger.Millis(at)
	}
	var known []custody.Shard
	_ = b.db.View(func(tx *bbolt.Tx) error {
		for _, s := range shards {
			if before(tx.Bucket(bucketMissing).Get(append(holder.key(), shardKey(s)...))) {
				known = append(known, s)
			}
		}
		return nil
	})
	if len(known) == 0 {
		return nil
	}
	err := b.update(func(tx *bbolt.Tx) error {
		found = 0
		for _, s := range known {
			key := append(holder.key(), shardKey(s)...)
			if !before(tx.Bucket(bucketMissing).Get(key)) {
				continue
			}
			found++
			if err := errors.Join(tx.Bucket(bucketDoubts).Delete(key), tx.Bucket(bucketMissing).Delete(key)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		b.count(holder, -found, 0)
	}
	return err
}
