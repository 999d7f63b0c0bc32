package member

import (
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// vault is one accepted vault.
type vault struct {
	store     *Store
	id        ident.CID
	signed    ident.Signed
	charter   ledger.Charter
	isMember  bool // this node, under this vote key
	forgotten bool // the locks under this vote key were lost
	dirs      dirs

	files sync.Mutex // held while files are written behind, and taken before mu

	mu        sync.Mutex // held while the vault changes
	unsettled int        // certified entries that are not among the files
	settling  bool       // they are being written
}

// newVault judges a first charter.
func (s *Store) newVault(signed ident.Signed) (*vault, error) {
	ch, err := ledger.VerifyFirstCharter(signed)
	if err != nil {
		return nil, err
	}
	m, ok := ch.Member(s.cfg.Operator)
	return &vault{
		store: s, id: ch.ID(), signed: signed, charter: ch, dirs: vaultDir(s.cfg.Dir, ch.ID()),
		isMember: ok && m.Node == s.cfg.Node && m.Vote == s.cfg.Vote.Public(),
	}, nil
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
	v.forgotten = x.forgotten(s.cfg.Vote.Public())
	v.unsettled = x.bucket(unsettledBucket).Stats().KeyN
	return v, nil
}

// maySign says whether this member's vote key signs for the vault.
func (v *vault) maySign() error {
	switch {
	case v.forgotten:
		return fmt.Errorf("vault %s: %w", v.id, ErrForgotten)
	case !v.isMember:
		return fmt.Errorf("vault %s: %w under this node and vote key", v.id, ledger.ErrNotMember)
	}
	return nil
}

// read runs f in a transaction that sees one state of the vault.
func (v *vault) read(f func(index) error) error {
	return v.store.db.View(func(tx *bolt.Tx) error { return f(index{tx.Bucket(v.id.Bytes())}) })
}

// write runs f in a transaction that is on the disk when write returns nil. The
// caller holds v.mu.
func (v *vault) write(f func(index) error) error {
	if err := v.store.db.Update(func(tx *bolt.Tx) error { return f(index{tx.Bucket(v.id.Bytes())}) }); err != nil {
		return err
	}
	return v.store.present()
}

// explain adds to a refusal where the lane stands, if that is what it is about.
func (v *vault) explain(lane ident.PublicKey, err error) error {
	if err == nil || !ofState(err) {
		return err
	}
	state := &StateError{Err: err}
	readErr := v.read(func(x index) error {
		var err error
		state.Head, err = x.laneHead(v.charter.CID(), lane)
		return err
	})
	if readErr != nil {
		return readErr
	}
	return state
}

// laneHead returns what is told of a lane.
func (x index) laneHead(charter ident.CID, lane ident.PublicKey) (ledger.LaneHead, error) {
	height, id, err := x.head(lane)
	if err != nil {
		return ledger.LaneHead{}, err
	}
	open, err := x.openLock(charter, lane, height)
	return ledger.LaneHead{Lane: lane, Height: height, Entry: id, Lock: open}, err
}
