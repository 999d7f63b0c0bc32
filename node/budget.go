package node

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/store"
)

// This file holds the one rule of how much a node erases in a day.
//
// SPEC: Each node also has a daily deletion budget.

const (
	// LeastBudget is what a node may erase in 24 hours however little it stores.
	LeastBudget = 16 << 30
	// budgetPart is what part of the stored bytes it may be.
	budgetPart = 20

	budgetDay = 24 * time.Hour
)

// deletionBudget returns how many bytes may be erased in 24 hours; configured is 0 for
// the default.
func deletionBudget(configured int64, u store.Usage) int64 {
	if configured > 0 {
		return configured
	}
	return max(LeastBudget, u.Used/budgetPart)
}

// affordable returns how many shards of a list, from its beginning, may be erased
// when so many bytes were erased in the last 24 hours. One that is larger than the
// budget may go when nothing else has: a small budget makes releases slow, and does
// not stop them.
func affordable(list []store.Discarded, erased, budget int64) int {
	for i, d := range list {
		if d.Bytes > budget-erased && erased > 0 {
			return i
		}
		erased += d.Bytes
	}
	return len(list)
}

// erased returns how many bytes were erased in the last 24 hours, rounded up to whole
// hours. What was erased in the future, by a clock that was wrong, counts too.
func (b *book) erased(now time.Time) (total int64) {
	from := hourKey(now.Add(-budgetDay))
	err := b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketErased).Cursor()
		for k, v := c.Seek(from); k != nil; k, v = c.Next() {
			if len(v) != 8 {
				return errBook
			}
			total += int64(binary.BigEndian.Uint64(v))
		}
		return nil
	})
	if err != nil {
		return 1<<63 - 1 // nothing is erased while that cannot be said
	}
	return total
}

// countErased adds bytes to those of this hour, and forgets hours that count no more.
func countErased(hours *bbolt.Bucket, now time.Time, n int64) error {
	k := hourKey(now)
	if v := hours.Get(k); len(v) == 8 {
		n += int64(binary.BigEndian.Uint64(v))
	}
	if err := hours.Put(k, binary.BigEndian.AppendUint64(nil, uint64(n))); err != nil {
		return err
	}
	var old [][]byte
	from := hourKey(now.Add(-2 * budgetDay))
	c := hours.Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, from) < 0; k, _ = c.Next() {
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := hours.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func hourKey(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(0, t.Unix()/3600)))
}
