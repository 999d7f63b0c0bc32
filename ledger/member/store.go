package member

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
)

// Store is a member's memory. It is safe for concurrent use. Only one process has
// it open.
type Store struct {
	cfg  Config
	db   *bolt.DB
	file os.FileInfo // of the database when it was opened

	behind sync.WaitGroup // files that are being written
	group  group
	certs  certificates
	keys   *keyring

	mu     sync.RWMutex // guards vaults, and is held while one is accepted
	vaults map[ident.CID]*vault
}

const (
	databaseName    = "member.db"
	databaseVersion = 1
	openTimeout     = 2 * time.Second
)

// The database's own bucket, beside those of the vaults.
const (
	storeBucket  = "store"
	storeVersion = "version"
	storeClean   = "clean" // present after Close
)

// Open opens a member's folder, which is made if it is not there. Files without a
// database are ErrNoIndex: who loses the database has lost its votes.
func Open(cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := prepare(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open member: %w", err)
	}
	s, err := openDatabase(cfg, filepath.Join(cfg.Dir, databaseName))
	if err != nil {
		return nil, fmt.Errorf("open member: %w", err)
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("open member: %w", err), s.db.Close())
	}
	return s, nil
}

// prepare makes the folder, or checks that a database is in it if files are.
func prepare(dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(dir, databaseName))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	vaults, err := vaultDirs(dir)
	if err == nil && len(vaults) > 0 {
		err = fmt.Errorf("%w: %d vaults", ErrNoIndex, len(vaults))
	}
	return err
}

func openDatabase(cfg Config, path string) (*Store, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: openTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{cfg: cfg, db: db, vaults: make(map[ident.CID]*vault)}
	s.file, err = os.Stat(path)
	if err == nil {
		s.keys, err = openKeys(cfg.Dir)
	}
	if err == nil {
		// A database that is new has to be found again after a crash.
		err = atomicfile.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// start loads the vaults and repairs what an unclean stop has left.
func (s *Store) start() error {
	clean := false
	err := s.db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(storeBucket))
		if err != nil {
			return err
		}
		if p := b.Get([]byte(storeVersion)); p != nil && (len(p) != 1 || p[0] != databaseVersion) {
			return fmt.Errorf("database of version %x is not known", p)
		}
		clean = b.Get([]byte(storeClean)) != nil
		return errors.Join(b.Put([]byte(storeVersion), []byte{databaseVersion}), b.Delete([]byte(storeClean)), complete(tx))
	})
	if err == nil {
		err = s.load()
	}
	if err == nil {
		err = s.fill()
	}
	if err != nil || clean {
		return err
	}
	for _, v := range s.vaults {
		if err := v.repair(); err != nil {
			return err
		}
	}
	return nil
}

// complete makes the buckets that vaults of an earlier version do not have.
func complete(tx *bolt.Tx) error {
	var vaults [][]byte
	err := tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
		if len(name) == ident.CIDSize {
			vaults = append(vaults, bytes.Clone(name))
		}
		return nil
	})
	for _, name := range vaults {
		for _, bucket := range bucketNames() {
			_, made := tx.Bucket(name).CreateBucketIfNotExists([]byte(bucket))
			err = errors.Join(err, made)
		}
	}
	return err
}

func (s *Store) load() error {
	return s.db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			if len(name) != ident.CIDSize {
				return nil
			}
			id, err := ident.CIDFromBytes(name)
			if err != nil {
				return fmt.Errorf("read database: %w", err)
			}
			v, err := s.loadVault(id, index{b: b})
			if err != nil {
				return fmt.Errorf("read vault %s: %w", id, err)
			}
			s.vaults[id] = v
			return nil
		})
	})
}

// Close flushes what is not, and ends the use of the folder. Nothing else may be
// running or called any more.
func (s *Store) Close() error {
	s.behind.Wait()
	failed := s.Settle()
	if failed == nil {
		failed = s.db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(storeBucket)).Put([]byte(storeClean), []byte{1})
		})
	}
	return errors.Join(failed, s.db.Close())
}

// present checks that the database is still the file in the folder. What is written
// to one that was removed is lost, and nothing may be promised then.
func (s *Store) present() error {
	now, err := os.Stat(filepath.Join(s.cfg.Dir, databaseName))
	if err != nil || !os.SameFile(now, s.file) {
		return ErrGone
	}
	return nil
}

// vault returns a vault that was accepted.
func (s *Store) vault(id ident.CID) (*vault, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.vaults[id]
	if !ok {
		return nil, fmt.Errorf("vault %s: %w", id, ErrUnknownVault)
	}
	return v, nil
}

// voting returns a vault for which this member may sign.
func (s *Store) voting(id ident.CID) (*vault, error) {
	v, err := s.vault(id)
	if err != nil {
		return nil, err
	}
	return v, v.maySign()
}

// All returns the vaults that were accepted, sorted.
func (s *Store) All() []ident.CID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := make([]ident.CID, 0, len(s.vaults))
	for id := range s.vaults {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, ident.CID.Compare)
	return ids
}
