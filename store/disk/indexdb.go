package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/mapped"
	"holdfast/store"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrInUse says that another process has the volume open.
var ErrInUse = errors.New("volume is in use by another process")

// Buckets and the keys of the bucket "meta". The totals are changed by the same
// transaction as the entries, so that they agree whatever happens.
const (
	bucketMeta   = "meta"
	bucketShards = "shards"

	metaUsed   = "used"
	metaShards = "shards"
	metaClean  = "clean" // 1: closed in order
	metaStale  = "stale" // 1: it may miss shards, or name ones that are gone
)

const lockTimeout = time.Second

// openIndex opens or makes the database. A new one is stale until told otherwise.
func openIndex(path string, files filesystem) (*index, error) {
	x := &index{path: path, files: files, dirty: make(chan struct{}, 1), waiting: make(map[indexKey]*entry)}
	return x, x.open()
}

func (x *index) open() error {
	err := x.guarded(func() (err error) {
		x.db, err = bbolt.Open(x.path, 0o600, &bbolt.Options{
			Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType, OpenFile: x.openFile,
		})
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return ErrInUse
	}
	if err == nil {
		err = x.prepare()
	}
	if err != nil {
		return errors.Join(err, x.shut())
	}
	return nil
}

// damaged reports whether the database is to blame for an error, and not the
// operating system.
func damaged(err error) bool {
	var os syscall.Errno
	return errors.Is(err, errIndex) && !errors.As(err, &os)
}

// replace puts a damaged database aside, so that it can be looked at, and begins a
// new, stale one. Nobody else uses the index meanwhile.
func (x *index) replace() error {
	if err := x.shut(); err != nil {
		return err
	}
	if err := os.Rename(x.path, x.path+".damaged"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	x.mu.Lock()
	clear(x.waiting)
	x.mu.Unlock()
	x.db, x.file = nil, nil
	x.broken.Store(false)
	return x.open()
}

// createIndex makes the index of a new volume: empty, closed in order, not stale.
func createIndex(path string) error {
	x, err := openIndex(path, osFiles{})
	if err != nil {
		return err
	}
	return errors.Join(x.setFlag(metaStale, false), x.close(true))
}

// prepare makes the buckets of a new database.
func (x *index) prepare() error {
	there := false
	err := x.view(func(tx *bbolt.Tx) error {
		there = tx.Bucket([]byte(bucketMeta)) != nil && tx.Bucket([]byte(bucketShards)) != nil
		return nil
	})
	if err != nil || there {
		return err
	}
	return x.update(makeBuckets)
}

// openFile keeps the database's file, so that shut can close it.
func (x *index) openFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag, perm)
	x.file = f
	return f, err
}

func makeBuckets(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucketIfNotExists([]byte(bucketMeta))
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists([]byte(bucketShards)); err != nil {
		return err
	}
	return putMeta(meta, metaStale, 1)
}

func (x *index) view(f func(*bbolt.Tx) error) error {
	return x.guarded(func() error { return x.db.View(f) })
}

func (x *index) update(f func(*bbolt.Tx) error) error {
	return x.guarded(func() error { return x.db.Update(f) })
}

// guarded turns what a damaged or vanished file does to bbolt, which is to panic or
// to fault in mapped memory, into an error. The database is not touched after that:
// it may have kept its locks.
func (x *index) guarded(f func() error) (err error) {
	if x.broken.Load() {
		return fmt.Errorf("%w has failed before", errIndex)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			x.broken.Store(true)
			err = fmt.Errorf("%w: %v", errIndex, r)
		}
	}()
	if err := f(); err != nil {
		if errors.Is(err, errEntry) {
			x.broken.Store(true)
		}
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	return nil
}

// shut closes the database and gives its lock free. A broken one cannot be closed
// in order.
func (x *index) shut() error {
	if x.db != nil && !x.broken.Load() {
		return x.db.Close()
	}
	if x.file == nil {
		return nil
	}
	// Where opening has failed in order, bbolt has closed it already.
	err := errors.Join(unlock(x.file), x.file.Close())
	if errors.Is(err, fs.ErrClosed) || errors.Is(err, os.ErrInvalid) {
		return nil
	}
	return err
}

func putMeta(b *bbolt.Bucket, name string, v int64) error {
	return b.Put([]byte(name), binary.BigEndian.AppendUint64(nil, uint64(v)))
}

func getMeta(b *bbolt.Bucket, name string) int64 {
	if p := b.Get([]byte(name)); len(p) == 8 {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (x *index) write(changes map[indexKey]*entry) error {
	if len(changes) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(changes), func(a, b indexKey) int { return slices.Compare(a[:], b[:]) })
	return x.update(func(tx *bbolt.Tx) error {
		var used, shards int64
		b := tx.Bucket([]byte(bucketShards))
		for _, key := range keys {
			if p := b.Get(key[:]); p != nil {
				old, err := decodeEntry(p)
				if err != nil {
					return err
				}
				used, shards = used-old.fileSize(), shards-1
			}
			e := changes[key]
			if e == nil {
				if err := b.Delete(key[:]); err != nil {
					return err
				}
				continue
			}
			if err := b.Put(key[:], e.encode()); err != nil {
				return err
			}
			used, shards = used+e.fileSize(), shards+1
		}
		meta := tx.Bucket([]byte(bucketMeta))
		return errors.Join(
			putMeta(meta, metaUsed, getMeta(meta, metaUsed)+used),
			putMeta(meta, metaShards, getMeta(meta, metaShards)+shards))
	})
}

// status is what the index knows about itself and in total.
type status struct {
	used, shards int64
	clean, stale bool
}

func (x *index) status() (s status, err error) {
	err = x.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucketMeta))
		s = status{
			used: getMeta(b, metaUsed), shards: getMeta(b, metaShards),
			clean: getMeta(b, metaClean) == 1, stale: getMeta(b, metaStale) == 1,
		}
		return nil
	})
	return s, err
}

func (x *index) setFlag(name string, on bool) error {
	v := int64(0)
	if on {
		v = 1
	}
	return x.update(func(tx *bbolt.Tx) error { return putMeta(tx.Bucket([]byte(bucketMeta)), name, v) })
}

// page returns up to n entries behind a key (nil for the first), of one vault or of
// all for the zero CID. It sees only what has been flushed. That no transaction is
// open between pages lets the database reuse its space however slow a reader is.
func (x *index) page(after []byte, vault ident.CID, n int) (list []store.Info, err error) {
	var prefix []byte
	if vault.Defined() {
		prefix = vault.Bytes()
	}
	err = x.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketShards)).Cursor()
		k, v := c.Seek(prefix)
		if after != nil {
			if k, v = c.Seek(after); bytes.Equal(k, after) {
				k, v = c.Next()
			}
		}
		for ; k != nil && bytes.HasPrefix(k, prefix) && len(list) < n; k, v = c.Next() {
			info, err := decodeInfo(k, v)
			if err != nil {
				return err
			}
			list = append(list, info)
		}
		return nil
	})
	if err == nil {
		err = x.forget(len(list))
	}
	return list, err
}

// forgetEvery is after how many entries that were read the memory for them is given back;
// they take about 10 MB.
const forgetEvery = 1 << 14

// forget gives memory back if much has been read, n entries more.
func (x *index) forget(n int) error {
	if x.read.Add(int64(n)) < forgetEvery {
		return nil
	}
	x.read.Store(0)
	return x.guarded(func() error { return mapped.Forget(x.db) })
}

func decodeInfo(k, v []byte) (store.Info, error) {
	if len(k) != len(indexKey{}) {
		return store.Info{}, errEntry
	}
	key, err := indexKey(k).key()
	if err != nil {
		return store.Info{}, errors.Join(errEntry, err)
	}
	e, err := decodeEntry(v)
	return store.Info{Key: key, Size: e.size, Descriptor: e.descriptor}, err
}

// close writes what waits and closes the database; clean says that the next one to
// open it can rely on it.
func (x *index) close(clean bool) error {
	var err error
	if clean {
		err = x.flush()
		if err == nil {
			err = x.setFlag(metaClean, true)
		}
	}
	return errors.Join(err, x.shut())
}
