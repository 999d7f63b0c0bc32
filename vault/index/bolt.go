package index

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// file keeps tables in a bbolt file. The library panics, and a truncated map
// faults, on pages that make no sense; here both are ErrCorrupt, and the file is
// removed: it is only a cache.
type file struct {
	db   *bolt.DB
	path string

	mu     sync.Mutex
	broken bool
}

func openFile(path string, wait time.Duration) (f *file, err error) {
	err = guard(func() error {
		db, err := bolt.Open(path, 0o600, &bolt.Options{
			Timeout:      wait,
			FreelistType: bolt.FreelistMapType,
			NoStatistics: true,
		})
		if err != nil {
			return classify(err)
		}
		f = &file{db: db, path: path}
		return f.prepare()
	})
	if err != nil {
		// After a panic the library may hold its locks for ever: then f is left alone.
		if f != nil && !errors.Is(err, ErrCorrupt) {
			f.db.Close()
		}
		return nil, err
	}
	return f, nil
}

// prepare makes the tables that are missing, and refuses a file that is shorter than
// its own account of itself.
func (f *file) prepare() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	missing := false
	err = f.db.View(func(t *bolt.Tx) error {
		if t.Size() > info.Size() {
			return errUnusable
		}
		for _, name := range tables() {
			missing = missing || t.Bucket([]byte(name)) == nil
		}
		return nil
	})
	if err != nil || !missing { // nothing is written, and flushed, for nothing
		return err
	}
	return f.db.Update(func(t *bolt.Tx) error {
		for _, name := range tables() {
			if _, err := t.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *file) view(use func(tx)) error {
	return f.run(func() error {
		return f.db.View(func(t *bolt.Tx) error {
			use(&boltTx{t: t})
			return nil
		})
	})
}

func (f *file) update(use func(tx) error) error {
	return f.run(func() error {
		return f.db.Update(func(t *bolt.Tx) error { return use(&boltTx{t: t}) })
	})
}

func (f *file) run(do func() error) error {
	f.mu.Lock()
	broken := f.broken
	f.mu.Unlock()
	if broken {
		return ErrCorrupt
	}
	err := guard(do)
	if errors.Is(err, ErrCorrupt) {
		f.condemn()
	}
	return err
}

func (f *file) condemn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.broken {
		f.broken = true
		os.Remove(f.path)
	}
}

// close gives the file back. A broken one is left to the end of the process: the
// library may hold its locks for ever.
func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return nil
	}
	return f.db.Close()
}

// guard turns a panic or a fault into ErrCorrupt.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	return classify(do())
}

func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrBusy
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, bolterrors.ErrIncompatibleValue), errors.Is(err, bolterrors.ErrInvalidMapping):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// boltTx opens each table once: most transactions look into a few of them many
// times.
type boltTx struct {
	t      *bolt.Tx
	opened []openedTable
}

type openedTable struct {
	name   string
	bucket *bolt.Bucket
}

func (t *boltTx) bucket(table string) *bolt.Bucket {
	for _, o := range t.opened {
		if o.name == table {
			return o.bucket
		}
	}
	b := t.t.Bucket([]byte(table))
	t.opened = append(t.opened, openedTable{table, b})
	return b
}

func (t *boltTx) get(table, key string) []byte { return t.bucket(table).Get([]byte(key)) }

func (t *boltTx) put(table, key string, value []byte) error {
	return t.bucket(table).Put([]byte(key), value)
}

func (t *boltTx) each(table string, f func(key string, value []byte) bool) {
	c := t.bucket(table).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if !f(string(k), v) {
			return
		}
	}
}
