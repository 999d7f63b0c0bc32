package audit

import (
	"encoding/binary"
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
	holder := place{vault, node}
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
	found, err := b.rows(holder, known, func(tx *bbolt.Tx, key []byte) (int64, error) {
		if !before(tx.Bucket(bucketMissing).Get(key)) {
			return 0, nil
		}
		return forgetRow(tx, key)
	})
	b.count(holder, -found, 0)
	return err
}
