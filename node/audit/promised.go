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

// This file holds the rule of what a receipt changes for a shard that is missing. It is the
// holder's word that it has the shard again, and it is taken once: until audits prove the
// shard, or find again that it is not there. After that only a proof counts, so that
// nobody keeps others from repairing what he has lost by promising it again and again.

// absence is one missing shard as it stands in the file.
type absence struct {
	since int64 // when it was found, ms
	word  word
}

// word is what the holder's receipts are worth.
type word byte

const (
	untried word = iota // it has given none since
	given               // it has, and is believed: the shard is not missing for now
	broken              // it had, and was found without the shard again
)

func (a absence) promised() bool { return a.word == given }

// again is the absence when the shard is found missing, for the first time or once more.
func (a absence) again(now int64) absence {
	if a.word == given {
		return absence{now, broken}
	}
	return absence{now, a.word}
}

func (a absence) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(a.since)), byte(a.word))
}

// parseAbsence is false for what is not there, or not readable.
func parseAbsence(p []byte) (absence, bool) {
	if len(p) != 9 {
		return absence{}, false
	}
	return absence{int64(binary.BigEndian.Uint64(p)), word(p[8])}, true
}

// Promised takes in that a holder has signed, at a time, that it has shards: those that were
// found missing before are not missing for now. What was found out since stays, so that
// an old receipt, shown again, hides nothing.
func (b *Board) Promised(vault ident.CID, node ident.PublicKey, at time.Time, shards ...custody.Shard) error {
	holder := place{vault, node}
	hopeful := func(tx *bbolt.Tx, key []byte) (absence, bool) {
		a, known := parseAbsence(tx.Bucket(bucketMissing).Get(key))
		return a, known && a.word == untried && a.since < ledger.Millis(at)
	}
	var some []custody.Shard // mostly none
	_ = b.db.View(func(tx *bbolt.Tx) error {
		for _, s := range shards {
			if _, ok := hopeful(tx, append(holder.key(), shardKey(s)...)); ok {
				some = append(some, s)
			}
		}
		return nil
	})
	promised, err := b.rows(holder, some, func(tx *bbolt.Tx, key []byte) (int64, error) {
		a, ok := hopeful(tx, key)
		if !ok {
			return 0, nil
		}
		a.word = given
		return 1, errors.Join(tx.Bucket(bucketDoubts).Delete(key), tx.Bucket(bucketMissing).Put(key, a.encode()))
	})
	b.count(holder, -promised, 0)
	return err
}
