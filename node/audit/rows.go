package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger/custody"
)

// This file holds how the rows of the board are read and written: what is in doubt, and
// what is missing.

// entry is one row of doubts, or of what is missing.
type entry struct {
	at    place
	shard custody.Shard
	value []byte
}

// boardPage is how many rows are read or written in one transaction: none stays open while
// what is read is used, and none takes much memory.
const boardPage = 4096

// each goes through the rows whose keys begin with a prefix. What cannot be read ends it.
func (b *Board) each(bucket, prefix []byte) iter.Seq[entry] { return b.from(bucket, prefix, prefix) }

// from is each, from a key on.
func (b *Board) from(bucket, prefix, from []byte) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		from := from
		for {
			page, next := b.page(bucket, prefix, from)
			for _, e := range page {
				if !yield(e) {
					return
				}
			}
			if next == nil {
				return
			}
			from = next
		}
	}
}

func (b *Board) page(bucket, prefix, from []byte) (page []entry, next []byte) {
	err := b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Seek(from); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if len(page) == boardPage {
				next = bytes.Clone(k)
				return nil
			}
			e, err := parseEntry(k, v)
			if err != nil {
				return err
			}
			page = append(page, e)
		}
		return nil
	})
	if err != nil {
		return page, nil
	}
	return page, next
}

func parseEntry(k, v []byte) (e entry, err error) {
	if len(k) != placeSize+custody.RowBytes || len(v) == 0 {
		return e, errBoard
	}
	if e.at, err = parsePlace(k); err != nil {
		return e, err
	}
	row := k[placeSize:]
	e.shard = custody.Row{Digest: [ident.HashSize]byte(row), Index: binary.BigEndian.Uint16(row[ident.HashSize:])}.Shard()
	e.value = bytes.Clone(v)
	return e, nil
}

func shardKey(s custody.Shard) []byte {
	return custody.AppendRow(nil, custody.Row{Digest: s.Segment.Hash(), Index: uint16(s.Index)})
}

// around goes through the rows of a holder, from one at random on and in the end those
// before it, so that who takes only some gets to all of them.
func (b *Board) around(bucket []byte, at place, random *rand.Rand) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		begin := custody.Shard{Segment: ident.NewCID(ident.DagCBOR, [ident.HashSize]byte{byte(random.Uint32()), byte(random.Uint32())})}
		for e := range b.from(bucket, at.key(), append(at.key(), shardKey(begin)...)) {
			if !yield(e) {
				return
			}
		}
		for e := range b.each(bucket, at.key()) {
			if compareShards(e.shard, begin) >= 0 || !yield(e) {
				return
			}
		}
	}
}

// rows changes the rows of shards of a holder, boardPage of them in one transaction, and
// adds up what f says of each. After an error the sum is that of what is in the file.
func (b *Board) rows(at place, shards []custody.Shard, f func(tx *bbolt.Tx, key []byte) (int64, error)) (sum int64, err error) {
	for part := range slices.Chunk(shards, boardPage) {
		some := int64(0)
		err := b.update(func(tx *bbolt.Tx) error {
			for _, s := range part {
				one, err := f(tx, append(at.key(), shardKey(s)...))
				if err != nil {
					return err
				}
				some += one
			}
			return nil
		})
		if err != nil {
			return sum, err
		}
		sum += some
	}
	return sum, nil
}

func (b *Board) update(f func(tx *bbolt.Tx) error) error {
	if err := b.db.Update(f); err != nil {
		return fmt.Errorf("write board: %w", err)
	}
	return nil
}
