package member

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// vault is one accepted vault.
type vault struct {
	store     *Store
	id        ident.CID
	signed    ident.Signed                    // the first charter
	now       atomic.Pointer[constitution]    // the charters, and this node under them
	forgotten atomic.Pointer[ident.PublicKey] // vote key of this node whose locks were lost; nil for none
	dirs      dirs

	files   sync.Mutex // held while files of entries are written behind or repaired
	placing sync.Mutex // held while a placement is kept

	releasing sync.Mutex // held while requests, opinions, releases and confirmations are kept
	needing   sync.Mutex // guards needs
	needs     needs
	held      holdings // who holds what

	begun   int64        // number of changes that were tried; belongs to whoever has the group's turn
	written atomic.Int64 // begun, when the last one of them was on the disk

	mu        sync.Mutex // guards what follows
	unsettled int        // certified entries that are not among the files
	settling  bool       // they are being written
}

// newVault judges a first charter.
func (s *Store) newVault(signed ident.Signed) (*vault, error) {
	chain, err := ledger.NewChain(signed)
	if err != nil {
		return nil, err
	}
	v := &vault{store: s, id: chain.ID(), signed: signed, dirs: vaultDir(s.cfg.Dir, chain.ID())}
	v.now.Store(s.founded(chain))
	return v, nil
}

// founded is what this node is under a vault's first charter, which has no starts.
func (s *Store) founded(chain ledger.Chain) *constitution {
	key, _ := s.keyOf(chain.First())
	return &constitution{chain: chain, key: key, ready: true}
}

func (s *Store) loadVault(id ident.CID, x index) (*vault, error) {
	signed, err := x.charter()
	if err != nil {
		return nil, err
	}
	v, err := s.newVault(signed)
	if err != nil {
		return nil, err
	}
	if v.id != id {
		return nil, fmt.Errorf("charter of vault %s: %w", v.id, ErrCorrupt)
	}
	chain, err := x.chain(v.chain())
	if err != nil {
		return nil, err
	}
	now, err := v.under(x, chain)
	if err != nil {
		return nil, err
	}
	v.now.Store(now)
	for _, ch := range chain.Since(id) {
		s.keys.used(ch)
	}
	if key := x.forgottenKey(); !key.IsZero() {
		v.forgotten.Store(&key)
	}
	v.unsettled = x.bucket(unsettledBucket).Stats().KeyN
	return v, nil
}

// read runs f in a transaction that sees one state of the vault.
func (v *vault) read(f func(index) error) error {
	return v.store.db.View(func(tx *bolt.Tx) error { return f(index{b: tx.Bucket(v.id.Bytes())}) })
}

// write runs f in a transaction that is on the disk when write returns nil, unless f
// returns an error. It may run more than once.
func (v *vault) write(f func(index) error) error { return v.change(nil, f) }

// change is write with a check before, which refuses the change and writes nothing.
// What the two see is not on the disk yet and may be undone: nothing is signed or told
// before change has returned nil.
func (v *vault) change(check, apply func(index) error) error { return v.changeThen(check, apply, nil) }

// changeThen is change with what is to be done as soon as it is on the disk, before
// anything else is changed.
func (v *vault) changeThen(check, apply func(index) error, then func()) error {
	var t touched
	c := change{
		apply: func(tx *bolt.Tx) error {
			v.begun++
			t = touched{}
			return apply(index{tx.Bucket(v.id.Bytes()), &t})
		},
		written: func() {
			v.held.note(t)
			if then != nil {
				then()
			}
			v.written.Store(v.begun)
		},
	}
	if check != nil {
		c.check = func(tx *bolt.Tx) error { return check(index{b: tx.Bucket(v.id.Bytes())}) }
	}
	err := v.store.group.do(v.store, &c)
	if errors.Is(err, ErrGone) {
		v.held.doubt() // it is written, if to a file that nobody finds
	}
	return err
}

// seen is taken before the vault is read, and given to unchanged in the check of a
// change: if nothing was tried since, what was read then holds still.
func (v *vault) seen() int64 { return v.written.Load() }

func (v *vault) unchanged(seen int64) bool { return v.begun == seen }
