package disk

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"holdfast/internal/ident"
	"holdfast/store"

	"go.etcd.io/bbolt"
)

// errIndex says that the index cannot be read or written. The shards are not
// concerned.
var errIndex = errors.New("index of the volume")

// errEntry says that what the index holds is not what was written.
var errEntry = errors.New("damaged entry")

// index remembers what is on the volume, so that it can be listed and counted. It
// follows the files and never leads them.
//
// Changes wait in memory until flush writes them, all in one transaction. Callers
// hold the lock of the key that they change.
type index struct {
	db     *bbolt.DB
	file   *os.File     // of db
	broken atomic.Bool  // damaged: db is not touched any more
	read   atomic.Int64 // entries since memory was given back
	path   string
	files  filesystem
	dirty  chan struct{} // has an element while changes wait

	flushing sync.Mutex // one flush at a time

	mu      sync.Mutex
	waiting map[indexKey]*entry // changes not yet written; nil for one that is gone
	writing map[indexKey]*entry // those that a flush is writing now
	hints   []string            // files in tmp/ to be removed after the next flush
}

// entry is what the index knows of a shard.
type entry struct {
	size       int64 // of the payload
	descriptor []byte
}

// fileSize is the length of the shard's file.
func (e entry) fileSize() int64 {
	return int64(headerSize(len(e.descriptor))) + e.size + store.OutboardSize(e.size)
}

// indexKey is vault, segment and index, in the order of keys.
type indexKey [2*ident.CIDSize + 4]byte

func keyOf(k store.Key) (x indexKey) {
	copy(x[:], k.Vault.Bytes())
	copy(x[ident.CIDSize:], k.Segment.Bytes())
	binary.BigEndian.PutUint32(x[2*ident.CIDSize:], uint32(k.Index))
	return x
}

func (x indexKey) key() (store.Key, error) {
	vault, err := ident.CIDFromBytes(x[:ident.CIDSize])
	if err != nil {
		return store.Key{}, err
	}
	segment, err := ident.CIDFromBytes(x[ident.CIDSize : 2*ident.CIDSize])
	return store.Key{Vault: vault, Segment: segment, Index: int(binary.BigEndian.Uint32(x[2*ident.CIDSize:]))}, err
}

func (e entry) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(e.size)), e.descriptor...)
}

func decodeEntry(p []byte) (entry, error) {
	if len(p) < 8 {
		return entry{}, errEntry
	}
	return entry{int64(binary.BigEndian.Uint64(p)), slices.Clone(p[8:])}, nil
}

// get returns what the index knows of a shard, nil for nothing.
func (x *index) get(k store.Key) (*entry, error) {
	key := keyOf(k)
	x.mu.Lock()
	e, ok := x.waiting[key]
	if !ok {
		e, ok = x.writing[key]
	}
	x.mu.Unlock()
	if ok {
		return e, nil
	}
	err := x.view(func(tx *bbolt.Tx) error {
		p := tx.Bucket([]byte(bucketShards)).Get(key[:])
		if p == nil {
			return nil
		}
		found, err := decodeEntry(p)
		e = &found
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// set notes that a shard is here, or with nil that it is not. The hint is a file in
// tmp/ that says so until the index does, or empty.
func (x *index) set(k store.Key, e *entry, hint string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting[keyOf(k)] = e
	if hint != "" {
		x.hints = append(x.hints, hint)
	}
	x.retry()
}

// backlog is the number of changes that wait.
func (x *index) backlog() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.waiting) + len(x.writing)
}

// flush writes what waits, and then removes the hints. After an error everything
// waits again.
func (x *index) flush() error {
	x.flushing.Lock()
	defer x.flushing.Unlock()
	x.mu.Lock()
	changes, hints := x.waiting, x.hints
	x.waiting, x.writing, x.hints = make(map[indexKey]*entry), changes, nil
	x.mu.Unlock()
	if err := x.write(changes); err != nil {
		x.mu.Lock()
		maps.Copy(changes, x.waiting)
		x.waiting, x.writing, x.hints = changes, nil, append(hints, x.hints...)
		x.mu.Unlock()
		return err
	}
	x.mu.Lock()
	x.writing = nil
	x.mu.Unlock()
	if err := x.forget(forgetPerChange * len(changes)); err != nil {
		return err
	}
	for _, path := range hints {
		// One that stays is looked at when the volume is opened, and says nothing new.
		_ = x.files.remove(path)
	}
	return nil
}

// forgetPerChange is how many entries' worth of memory a change may touch: the pages on
// the way to it.
const forgetPerChange = 8

// retry asks for a flush some time from now.
func (x *index) retry() {
	select {
	case x.dirty <- struct{}{}:
	default:
	}
}
