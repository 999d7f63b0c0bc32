package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// inventories are the digests of what the book says is on the shelf, of each vault,
// kept until something changes in a bucket. They are made anew after a start: reading
// a bucket of a vault takes as long as listing it.
type inventories struct {
	mu     sync.Mutex
	vaults map[ident.CID]*[custody.Buckets]inventoryBucket
}

// inventoryBucket is one of them: what it comes to, and whether that is known.
type inventoryBucket struct {
	digest  [ident.HashSize]byte
	shards  int64
	bytes   int64
	known   bool
	changes uint64 // so many since the start
}

// changed says that a shard has come or gone.
func (i *inventories) changed(key store.Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := &i.of(key.Vault)[key.Segment.Hash()[0]]
	t.known = false
	t.changes++
}

// of returns a vault's buckets, for a caller that holds the lock.
func (i *inventories) of(vault ident.CID) *[custody.Buckets]inventoryBucket {
	if i.vaults == nil {
		i.vaults = map[ident.CID]*[custody.Buckets]inventoryBucket{}
	}
	all := i.vaults[vault]
	if all == nil {
		all = new([custody.Buckets]inventoryBucket)
		i.vaults[vault] = all
	}
	return all
}

func (i *inventories) get(vault ident.CID, bucket int) inventoryBucket {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.of(vault)[bucket]
}

// keep remembers what a bucket comes to, unless something has changed since it was begun.
func (i *inventories) keep(vault ident.CID, bucket int, t inventoryBucket) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := &i.of(vault)[bucket]; now.changes == t.changes {
		*now = t
	}
}

// tally counts and digests one bucket of a vault.
func (b *book) tally(vault ident.CID, bucket int) (inventoryBucket, error) {
	t := b.inventories.get(vault, bucket)
	if t.known {
		return t, nil
	}
	t = inventoryBucket{known: true, changes: t.changes}
	var rows []byte
	err := b.walk(vault, bucket, shardrpc.Ref{}, func(row []byte, r record) bool {
		t.shards, t.bytes = t.shards+1, t.bytes+r.Size
		rows = append(rows, row...)
		return true
	})
	if err != nil {
		return t, err
	}
	t.digest = custody.SumBucket(rows)
	b.inventories.keep(vault, bucket, t)
	return t, nil
}

// inventory is all that the book says is on the shelf of a vault.
func (b *book) inventory(vault ident.CID) (custody.Digests, error) {
	var d custody.Digests
	for i := range d.Buckets {
		t, err := b.tally(vault, i)
		if err != nil {
			return d, err
		}
		d.Buckets[i] = t.digest
		d.Shards, d.Bytes = d.Shards+t.shards, d.Bytes+t.bytes
	}
	return d, nil
}

// walk goes through the shards of a bucket that are not in the trash, in order, behind
// one of them, until f says no. A row is the digest of the segment and the index.
func (b *book) walk(vault ident.CID, bucket int, after shardrpc.Ref, f func(row []byte, r record) bool) error {
	if err := b.flush(); err != nil {
		return err
	}
	first := ident.NewCID(ident.DagCBOR, [ident.HashSize]byte{byte(bucket)}).Bytes()
	head := len(first) - ident.HashSize // of a CID, before its digest
	prefix := append(vault.Bytes(), first[:head+1]...)
	from := prefix
	if after != (shardrpc.Ref{}) {
		from = encodeShardKey(store.Key{Vault: vault, Segment: after.Segment, Index: after.Index})
	}
	return b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketShards).Cursor()
		k, v := c.Seek(from)
		if bytes.Equal(k, from) {
			k, v = c.Next()
		}
		for ; bytes.HasPrefix(k, prefix); k, v = c.Next() {
			r, err := decodeRecord(v)
			if err != nil {
				return err
			}
			if !r.Trashed && !f(k[ident.CIDSize+head:], r) {
				return nil
			}
		}
		return nil
	})
}

// InventoryBucket implements shardrpc.Prover.
func (s *session) InventoryBucket(ctx context.Context, bucket byte, after shardrpc.Ref) (shards []shardrpc.Ref, more bool, err error) {
	if err := s.allow(0, leastPage); err != nil {
		return nil, false, err
	}
	defer func() { s.asked.charge(s.asker(), max(float64(len(shards))/shardrpc.MaxListed-leastPage, 0)) }()
	err = s.use(ctx, func(p *parts) error {
		return p.book.walk(s.vault, int(bucket), after, func(row []byte, _ record) bool {
			if more = len(shards) == shardrpc.MaxListed; more {
				return false
			}
			shards = append(shards, shardrpc.Ref{
				Segment: ident.NewCID(ident.DagCBOR, [ident.HashSize]byte(row)),
				Index:   int(binary.BigEndian.Uint16(row[ident.HashSize:])),
			})
			return true
		})
	})
	return slices.Clip(shards), more, err
}

// Inventory implements shardrpc.Prover. It costs the peer as much as a small page.
func (s *session) Inventory(ctx context.Context, nonce shardrpc.Nonce) (ident.Signed, error) {
	if err := s.allow(0, leastPage); err != nil {
		return ident.Signed{}, err
	}
	var d custody.Digests
	err := s.use(ctx, func(p *parts) (err error) {
		d, err = p.book.inventory(s.vault)
		return err
	})
	if err != nil {
		return ident.Signed{}, err
	}
	return ledger.SignInventory(s.keys.vote, ledger.Inventory{
		Vault: s.vault, Node: s.keys.cert.Node, Nonce: nonce, Time: ledger.Millis(s.stamp.now()),
		Shards: d.Shards, Bytes: d.Bytes, Buckets: d.Encode(),
	})
}
