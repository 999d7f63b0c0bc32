package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/store"
)

// tombstone is what a book remembers of a shard that was released.
type tombstone struct {
	Release ident.CID // by which it went
	Time    int64     // ms since 1970, when it was to be erased
	Bytes   int64     // that it took
}

const (
	// tombsKept is how long tombstones stand.
	tombsKept = 400 * 24 * time.Hour
	// maxTombs is how many there are at most: then the oldest go before their time.
	maxTombs = 1 << 20

	tombSize = ident.CIDSize + 16
)

// bury writes down, durably, that shards are about to be erased, and counts their
// bytes, once however often it is called. It is done before: a crash between leaves
// a tombstone too many, and never a shard without one.
func (b *book) bury(list []store.Discarded) error {
	now := b.now()
	err := b.db.Update(func(tx *bbolt.Tx) error {
		tombs, total := tx.Bucket(bucketTombs), int64(0)
		for _, d := range list {
			k := encodeShardKey(d.Key)
			if tombs.Get(k) != nil {
				continue
			}
			total += d.Bytes
			if err := tombs.Put(k, encodeTomb(tombstone{d.Release, now.UnixMilli(), d.Bytes})); err != nil {
				return err
			}
		}
		return countErased(tx.Bucket(bucketErased), now, total)
	})
	if err != nil {
		return fmt.Errorf("write tombstones: %w", err)
	}
	return nil
}

// unbury takes the tombstone of a shard away that came back after all.
func (b *book) unbury(key store.Key) error {
	if _, ok, err := b.tomb(key); err != nil || !ok {
		return err
	}
	return b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTombs).Delete(encodeShardKey(key)) })
}

// tomb returns the tombstone of a shard.
func (b *book) tomb(key store.Key) (t tombstone, ok bool, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketTombs).Get(encodeShardKey(key))
		if v == nil {
			return nil
		}
		ok = true
		t, err = decodeTomb(v)
		return err
	})
	return t, ok, err
}

// pruneTombs removes the tombstones that have stood long enough, and of too many the
// oldest, by days.
func (b *book) pruneTombs(most int) error {
	days, count, err := b.tombsByDay()
	if err != nil {
		return err
	}
	last := dayOf(b.now().Add(-tombsKept).UnixMilli())
	for count -= upTo(days, last); count > most; count -= days[last] {
		last++
	}
	return b.db.Update(func(tx *bbolt.Tx) error {
		tombs := tx.Bucket(bucketTombs)
		var old [][]byte
		err := tombs.ForEach(func(k, v []byte) error {
			t, err := decodeTomb(v)
			if err == nil && dayOf(t.Time) <= last {
				old = append(old, bytes.Clone(k))
			}
			return err
		})
		for _, k := range old {
			if err == nil {
				err = tombs.Delete(k)
			}
		}
		return err
	})
}

func (b *book) tombsByDay() (days map[int64]int, count int, err error) {
	days = map[int64]int{}
	err = b.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketTombs).ForEach(func(_, v []byte) error {
			t, err := decodeTomb(v)
			days[dayOf(t.Time)]++
			count++
			return err
		})
	})
	return days, count, err
}

func upTo(days map[int64]int, last int64) (n int) {
	for day, of := range days {
		if day <= last {
			n += of
		}
	}
	return n
}

func dayOf(ms int64) int64 { return ms / (24 * time.Hour).Milliseconds() }

func encodeTomb(t tombstone) []byte {
	p := append(make([]byte, 0, tombSize), t.Release.Bytes()...)
	p = binary.BigEndian.AppendUint64(p, uint64(t.Time))
	return binary.BigEndian.AppendUint64(p, uint64(t.Bytes))
}

func decodeTomb(v []byte) (tombstone, error) {
	if len(v) != tombSize {
		return tombstone{}, errBook
	}
	release, err := ident.CIDFromBytes(v[:ident.CIDSize])
	if err != nil {
		return tombstone{}, errBook
	}
	rest := v[ident.CIDSize:]
	return tombstone{release, int64(binary.BigEndian.Uint64(rest)), int64(binary.BigEndian.Uint64(rest[8:]))}, nil
}
