package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"holdfast/internal/ident"
)

// formatVersion is the version of the tables. An index of another one is begun
// anew.
const formatVersion = 1

// defaultWait is how long Open waits for another process to close the index.
const defaultWait = 2 * time.Second

// errUnusable says that a file is truncated, of another format or of another vault.
var errUnusable = errors.New("not an index of this vault")

// Config says whose index to open.
type Config struct {
	Dir   string          // the cache folder; the index is in <vault hex>/index.db below it
	Vault ident.CID       // whose chunks
	Lane  ident.PublicKey // this device; the zero key for a reader without a lane
	Wait  time.Duration   // for another process; 0 means two seconds
}

// Index finds chunks and segments of one vault. It is safe for concurrent use.
type Index struct {
	db       database
	lane     ident.PublicKey
	released atomic.Pointer[map[ident.CID]bool] // see SetReleased
}

// Open opens a vault's index, or begins an empty one: also where the file that is
// there is damaged, of another format or of another vault. Another process that
// has it open is ErrBusy.
func Open(c Config) (*Index, error) {
	dir := filepath.Join(c.Dir, c.Vault.Hex())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	path := filepath.Join(dir, "index.db")
	x, err := open(path, c)
	if errors.Is(err, ErrCorrupt) || errors.Is(err, errUnusable) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("open index: %w", err)
		}
		x, err = open(path, c)
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	return x, nil
}

func open(path string, c Config) (*Index, error) {
	f, err := openFile(path, c.Wait)
	if err != nil {
		return nil, err
	}
	x := &Index{db: f, lane: c.Lane}
	if err := x.checkFormat(c.Vault); err != nil {
		f.close()
		return nil, err
	}
	return x, nil
}

// Mem returns an empty index in memory.
func Mem(lane ident.PublicKey) *Index { return &Index{db: newMemory(), lane: lane} }

// Close gives the file back. Nothing is lost by not calling it but the lock.
func (x *Index) Close() error { return x.db.close() }

// checkFormat signs an empty file, and refuses one that is signed otherwise.
func (x *Index) checkFormat(vault ident.CID) error {
	want := append([]byte{formatVersion}, vault.Bytes()...)
	same := false
	err := x.view(func(t tx) {
		p, ok := get(t, tableState, keyFormat)
		same = ok && string(p) == string(want)
	})
	if err != nil || same {
		return err
	}
	return x.update(func(t tx) error {
		p, ok := get(t, tableState, keyFormat)
		switch {
		case ok && string(p) == string(want):
			return nil
		case t.get(tableState, keyFormat) != nil:
			return errUnusable
		}
		return put(t, tableState, keyFormat, want)
	})
}

func (x *Index) view(f func(tx)) error { return x.db.view(f) }

func (x *Index) update(f func(tx) error) error { return x.db.update(f) }
