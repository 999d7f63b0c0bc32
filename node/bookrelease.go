package node

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// kept is a certified release that concerns shards of this node.
type kept struct {
	Cert   []byte `cbor:"cert,omitempty"`   // the encoded certificate, which was verified; none once it is undone
	Undone bool   `cbor:"undone,omitempty"` // a quorum has taken it back: it is never followed again
	Since  int64  `cbor:"since"`            // ms since 1970, when the node learnt of it
}

// maxReleases is how many releases a node follows at once, of one vault. Others wait.
const maxReleases = 4096

func pairKey(a ident.CID, rest []byte) []byte { return append(a.Bytes(), rest...) }

// keepRelease remembers a release durably. One that is known, or undone, stays as it
// is.
func (b *book) keepRelease(vault, release ident.CID, cert []byte) error {
	return b.updateRelease(vault, release, func(k kept, known bool) (kept, bool) {
		if known {
			return k, true
		}
		return kept{Cert: cert, Since: b.now().UnixMilli()}, true
	})
}

// undoRelease remembers durably that a release was taken back.
func (b *book) undoRelease(vault, release ident.CID) error {
	return b.updateRelease(vault, release, func(k kept, known bool) (kept, bool) {
		if !known {
			k.Since = b.now().UnixMilli()
		}
		return kept{Undone: true, Since: k.Since}, true
	})
}

// dropRelease forgets a release that has nothing here any more.
func (b *book) dropRelease(vault, release ident.CID) error {
	return b.updateRelease(vault, release, func(k kept, _ bool) (kept, bool) { return k, false })
}

func (b *book) updateRelease(vault, release ident.CID, f func(k kept, known bool) (kept, bool)) error {
	key := pairKey(vault, release.Bytes())
	err := b.db.Update(func(tx *bbolt.Tx) error {
		releases := tx.Bucket(bucketReleases)
		var old kept
		v := releases.Get(key)
		if v != nil {
			if err := wire.Decode(bytes.Clone(v), &old); err != nil {
				return err
			}
		}
		k, keep := f(old, v != nil)
		if !keep {
			return releases.Delete(key)
		}
		p, err := wire.Encode(k)
		if err != nil {
			return err
		}
		return releases.Put(key, p)
	})
	if err != nil {
		return fmt.Errorf("write release %v: %w", release, err)
	}
	return nil
}

// release returns what is remembered of a release.
func (b *book) release(vault, release ident.CID) (k kept, known bool, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketReleases).Get(pairKey(vault, release.Bytes()))
		if v == nil {
			return nil
		}
		known = true
		return wire.Decode(bytes.Clone(v), &k)
	})
	if err != nil {
		return kept{}, false, fmt.Errorf("read release %v: %w", release, err)
	}
	return k, known, nil
}

// releases returns the names of the releases of a vault that are followed, or of
// those that were taken back.
func (b *book) releases(vault ident.CID, undone bool) (list []ident.CID, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketReleases).Cursor()
		for key, v := c.Seek(vault.Bytes()); key != nil && bytes.HasPrefix(key, vault.Bytes()); key, v = c.Next() {
			var k kept
			if err := wire.Decode(bytes.Clone(v), &k); err != nil {
				return err
			}
			id, err := ident.CIDFromBytes(key[ident.CIDSize:])
			if err != nil {
				return err
			}
			if k.Undone == undone {
				list = append(list, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read releases of vault %v: %w", vault, err)
	}
	return list, nil
}

// pruneReleases forgets what was taken back long ago.
func (b *book) pruneReleases() error {
	before := b.now().Add(-tombsKept).UnixMilli()
	return b.db.Update(func(tx *bbolt.Tx) error {
		releases := tx.Bucket(bucketReleases)
		var old [][]byte
		err := releases.ForEach(func(key, v []byte) error {
			var k kept
			err := wire.Decode(bytes.Clone(v), &k)
			if err == nil && k.Undone && k.Since < before {
				old = append(old, bytes.Clone(key))
			}
			return err
		})
		for _, key := range old {
			if err == nil {
				err = releases.Delete(key)
			}
		}
		return err
	})
}

// cursor returns the number from which a member's releases of a vault are not known
// yet, 1 at least.
func (b *book) cursor(vault ident.CID, operator ident.PublicKey) (n int64) {
	err := b.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketCursors).Get(pairKey(vault, operator.Bytes())); len(v) == 8 {
			n = int64(binary.BigEndian.Uint64(v))
		}
		return nil
	})
	if err != nil {
		return 1 // all over again
	}
	return max(n, 1)
}

func (b *book) setCursor(vault ident.CID, operator ident.PublicKey, n int64) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketCursors).Put(pairKey(vault, operator.Bytes()), binary.BigEndian.AppendUint64(nil, uint64(n)))
	})
}

// links returns the links that brought a vault's charters after the first, in order.
func (b *book) links(vault ident.CID) (list [][]byte, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketChains).Cursor()
		for key, v := c.Seek(vault.Bytes()); key != nil && bytes.HasPrefix(key, vault.Bytes()); key, v = c.Next() {
			list = append(list, bytes.Clone(v))
		}
		return nil
	})
	return list, err
}

// addLink remembers durably which link brought a vault's charter of a number.
func (b *book) addLink(vault ident.CID, number int, link []byte) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketChains).Put(pairKey(vault, binary.BigEndian.AppendUint32(nil, uint32(number))), link)
	})
}
