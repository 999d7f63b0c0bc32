package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"holdfast/internal/ident"
	"holdfast/internal/mapped"
	"holdfast/store"
)

// book says, for every shard on the volume, for whom it is kept and how long at
// least. It decides nothing alone: a shard that the book does not know is kept as if
// it had just arrived. So changes are written behind, a second or so; what a receipt
// promises is on disk before the receipt is signed. All of it can be found again:
// from the shelf, and by asking the vaults' members.
type book struct {
	db   *bbolt.DB
	hold time.Duration // kept at least, from the put or from when it was found
	now  func() time.Time

	flushing sync.Mutex // one transaction at a time

	// Letting a shard go excludes entering it and promising to keep it.
	letting sync.RWMutex

	mu      sync.Mutex
	pending map[store.Key]change // not in a transaction yet
	writing map[store.Key]change // in the transaction that is being written
	gone    map[account]bool     // devices that were revoked, of vaults without a ledger here
	accounts

	inventories inventories
}

// change is a record as it shall be.
type change struct {
	record
	gone bool
}

var (
	bucketShards   = []byte("shards")
	bucketCharters = []byte("charters")
	bucketAccounts = []byte("accounts")
	bucketChains   = []byte("chains")     // vault, number -> the link that brought a charter
	bucketReleases = []byte("releases")   // vault, release -> kept
	bucketCursors  = []byte("cursors")    // vault, operator -> the next of its releases
	bucketTombs    = []byte("tombstones") // shard -> tombstone
	bucketErased   = []byte("erased")     // hour since 1970 -> bytes erased in it
	bucketIllCoded = []byte("illcoded")   // vault, segment -> lane
	bucketOwners   = []byte("owners")     // vault -> ownerLane, where this node is no member
)

// Bounds of what a node keeps in its book.
const (
	maxPending = 2048 // changes that may wait; a put above that writes them itself
	maxVaults  = 4096 // vaults that may have shards here
)

// openBook opens the book at path. A damaged one is put aside for an empty one.
func openBook(path string, hold time.Duration, now func() time.Time) (*book, error) {
	b, err := tryBook(path, hold, now)
	if err == nil || errors.Is(err, bolterrors.ErrTimeout) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if err := os.Rename(path, path+".damaged"); err != nil {
		return nil, fmt.Errorf("put damaged book aside: %w", err)
	}
	return tryBook(path, hold, now)
}

func tryBook(path string, hold time.Duration, now func() time.Time) (*book, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 5 * time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("open book: %w", err)
	}
	b := &book{db: db, hold: hold, now: now, pending: map[store.Key]change{}, accounts: newAccounts()}
	err = b.load()
	if err == nil {
		// The freelist is not in the file: opening it has gone through all of it.
		err = mapped.Forget(db)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open book: %w", err), db.Close())
	}
	return b, nil
}

// load reads the accounts. It does not go through the shards.
func (b *book) load() error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{
			bucketShards, bucketCharters, bucketAccounts, bucketChains, bucketReleases, bucketCursors, bucketTombs, bucketErased, bucketOwners, bucketIllCoded,
		} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if err := b.loadOwners(tx); err != nil {
			return err
		}
		return tx.Bucket(bucketAccounts).ForEach(func(k, v []byte) error {
			a, u, err := decodeAccount(k, v)
			if err == nil {
				b.credit(a, u)
			}
			return err
		})
	})
}

func (b *book) close() error { return errors.Join(b.flush(), b.db.Close()) }

// used returns what one device of a vault has on this volume.
func (b *book) used(vault ident.CID, device ident.PublicKey) usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.devices[account{vault, device}]
}

// vaultUsage returns what each vault has on this volume.
func (b *book) vaultUsage() map[ident.CID]usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.vaults)
}

// reserve sets a part of the quotas aside for a put that begins; 0 is no quota. The
// caller ends with release, after arrived.
func (b *book) reserve(of account, size, deviceQuota, vaultQuota int64) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.accounts.reserve(of, size, deviceQuota, vaultQuota); err != nil {
		return nil, err
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.accounts.release(of, size)
	}, nil
}

// get returns a shard's record.
func (b *book) get(key store.Key) (record, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lookup(key)
}

// lookup is get for a caller that holds the lock.
func (b *book) lookup(key store.Key) (r record, known bool, err error) {
	for _, m := range []map[store.Key]change{b.pending, b.writing} {
		if c, ok := m[key]; ok && c.gone {
			return record{}, false, nil
		} else if ok {
			return c.record, true, nil
		}
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketShards).Get(encodeShardKey(key))
		if v == nil {
			return nil
		}
		known = true
		r, err = decodeRecord(v)
		return err
	})
	if err != nil {
		return record{}, false, fmt.Errorf("read book: %w", err)
	}
	return r, known, nil
}

// change replaces a shard's record by what f makes of it, at once for everybody who
// looks, and on disk with the next flush. If f says no the shard is forgotten.
func (b *book) change(key store.Key, f func(r record, known bool) (record, bool)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changeLocked(key, f)
}

func (b *book) changeLocked(key store.Key, f func(r record, known bool) (record, bool)) error {
	old, known, err := b.lookup(key)
	if err != nil {
		return err
	}
	r, keep := f(old, known)
	if !known && !keep || known && keep && r == old {
		return nil
	}
	if known {
		b.add(key, old, -1)
	}
	if keep {
		b.add(key, r, 1)
	}
	b.pending[key] = change{r, !keep}
	if there := known && !old.Trashed; there != (keep && !r.Trashed) {
		b.inventories.changed(key)
	}
	return nil
}

// arriving is called before a put: what is here already is kept while it lasts.
func (b *book) arriving(key store.Key) error {
	if err := b.relieve(); err != nil {
		return err
	}
	b.letting.RLock()
	defer b.letting.RUnlock()
	return b.change(key, func(r record, known bool) (record, bool) {
		r.Until = max(r.Until, b.holdUntil())
		return r, known
	})
}

// arrived enters a shard that is durable on the shelf. Another device's claim to a
// shard that is in the book changes nothing, unless nobody knows whose it was, or it
// was in the trash: then it has come anew. One that went into the trash while it was
// put is called back by recall, which may be nil.
func (b *book) arrived(key store.Key, device ident.PublicKey, nonce [16]byte, size int64, recall func() error) error {
	b.letting.RLock()
	defer b.letting.RUnlock()
	if r, _, err := b.get(key); err != nil {
		return err
	} else if r.Trashed && recall != nil {
		if err := recall(); err != nil {
			return err
		}
	}
	return b.change(key, func(r record, known bool) (record, bool) {
		if known && !r.Trashed && r.Device != device && !r.Device.IsZero() {
			return r, true
		}
		return record{
			Device: device, Nonce: nonce, Size: size, Until: max(r.Until, b.holdUntil()), Certified: r.Certified && !r.Trashed,
		}, true
	})
}

// found enters a shard that is on the shelf and not in the book, or not as one that
// is there.
func (b *book) found(key store.Key, size int64) error {
	return b.change(key, func(r record, known bool) (record, bool) {
		if known {
			r.Trashed = false
			return r, true
		}
		return record{Size: size, Until: b.holdUntil()}, true
	})
}

func (b *book) holdUntil() int64 { return b.now().Add(b.hold).UnixMilli() }

// promise makes it durable that shards, all of which are in the book, are kept to
// until at least, and then calls check, during which none of them is let go. For
// shards that have just arrived nothing has to be written for that: see covered.
func (b *book) promise(keys []store.Key, until time.Time, check func() error) error {
	b.letting.RLock()
	defer b.letting.RUnlock()
	for _, key := range keys {
		missing := false
		err := b.change(key, func(r record, known bool) (record, bool) {
			missing = !known
			r.Until = max(r.Until, until.UnixMilli())
			return r, known
		})
		if err == nil && missing {
			err = store.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("promise shard %v: %w", key, err)
		}
	}
	all, err := b.covered(keys, until)
	if err == nil && !all {
		err = b.flush()
	}
	if err != nil {
		return err
	}
	return check()
}

// covered reports whether a crash that loses every change that is not on disk keeps
// the shards to until all the same: what the book on disk says of each is long
// enough, or it says nothing of it, so that the shard is found on the shelf and kept
// as if it had just arrived.
func (b *book) covered(keys []store.Key, until time.Time) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.UnixMilli() > b.holdUntil() {
		return false, nil
	}
	all := true
	err := b.db.View(func(tx *bbolt.Tx) error {
		shards := tx.Bucket(bucketShards)
		for _, key := range keys {
			if c, ok := b.writing[key]; ok && (c.gone || c.Until < until.UnixMilli()) {
				all = false
			}
			v := shards.Get(encodeShardKey(key))
			if v == nil {
				continue
			}
			r, err := decodeRecord(v)
			if err != nil {
				return err
			}
			all = all && r.Until >= until.UnixMilli()
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read book: %w", err)
	}
	return all, nil
}

// certified marks every shard of these segments as part of a certified entry.
func (b *book) certified(vault ident.CID, segments []ident.CID) error {
	for _, s := range segments {
		if err := b.certifiedOne(vault, s); err != nil {
			return err
		}
	}
	return b.relieve()
}

func (b *book) certifiedOne(vault, segment ident.CID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys, err := b.shardsOf(vault, segment)
	for _, key := range keys {
		err = errors.Join(err, b.changeLocked(key, func(r record, known bool) (record, bool) {
			r.Certified = true
			return r, known
		}))
	}
	return err
}

// shardsOf returns the keys of a segment's shards, for a caller that holds the lock.
func (b *book) shardsOf(vault, segment ident.CID) (keys []store.Key, err error) {
	for _, m := range []map[store.Key]change{b.pending, b.writing} {
		for key := range m {
			if key.Vault == vault && key.Segment == segment {
				keys = append(keys, key)
			}
		}
	}
	prefix := segmentPrefix(vault, segment)
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketShards).Cursor()
		for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			key, err := decodeShardKey(k)
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return nil
	})
	return keys, err
}

// letGo calls remove, and forgets the shard if that succeeds, unless the shard is
// not due any more. Nobody can be promised the shard meanwhile.
func (b *book) letGo(key store.Key, remove func() error) (gone bool, err error) {
	b.letting.Lock()
	defer b.letting.Unlock()
	r, known, err := b.get(key)
	if err != nil || known && !r.due(b.now()) {
		return false, err
	}
	if err := remove(); err != nil {
		return false, err
	}
	return true, b.forget(key)
}

// forget takes a shard that is not on the shelf any more out of the book.
func (b *book) forget(key store.Key) error {
	return b.change(key, func(r record, _ bool) (record, bool) { return r, false })
}
