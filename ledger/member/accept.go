package member

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Accept keeps a new vault, if this node is a member under this very vote key, and
// returns the signed acceptance. What is known already is accepted again in the
// same words. Who may create vaults is decided by the caller.
func (s *Store) Accept(charter ident.Signed) (ident.Signed, error) {
	v, err := s.newVault(charter)
	if err != nil {
		return ident.Signed{}, fmt.Errorf("accept vault: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.vaults[v.id]; ok {
		v = known
	} else if err := s.keep(v); err != nil {
		return ident.Signed{}, fmt.Errorf("accept vault %s: %w", v.id, err)
	}
	return v.acceptance()
}

// keep writes a new vault down. The files come first: a folder that the database
// does not know is made again.
func (s *Store) keep(v *vault) error {
	// SPEC: a node that holds a pending key for a vault may keep it before a charter
	// names that key.
	if _, waits := s.keys.waiting(v.id); !waits && v.maySign() != nil {
		return v.maySign()
	}
	if len(s.vaults) >= s.cfg.MaxVaults {
		return fmt.Errorf("%w: %d vaults", ErrFull, s.cfg.MaxVaults)
	}
	if err := v.dirs.make(); err != nil {
		return err
	}
	if err := v.dirs.writeCharter(1, v.signed); err != nil {
		return err
	}
	now := ledger.Millis(s.cfg.Now())
	err := s.db.Update(func(tx *bolt.Tx) error {
		x, err := createIndex(tx, v.signed)
		if err != nil {
			return err
		}
		return x.putNumber(aboutAccepted, now)
	})
	if err == nil {
		err = s.present()
	}
	if err == nil {
		s.keys.used(v.inForce())
		s.vaults[v.id] = v
	}
	return err
}

// createIndex makes an empty vault.
func createIndex(tx *bolt.Tx, charter ident.Signed) (index, error) {
	b, err := tx.CreateBucketIfNotExists(charter.CID().Bytes())
	if err != nil {
		return index{}, err
	}
	for _, name := range bucketNames() {
		if _, err := b.CreateBucketIfNotExists([]byte(name)); err != nil {
			return index{}, err
		}
	}
	x := index{b: b}
	return x, errors.Join(x.putCharter(charter), x.beginMoves())
}

// acceptance signs what the vault was accepted with. Who is to be a member signs with
// the key that waits for its charter.
func (v *vault) acceptance() (ident.Signed, error) {
	key, waits := v.store.keys.waiting(v.id)
	if err := v.maySign(); err == nil {
		key = v.voteKey()
	} else if !waits {
		return ident.Signed{}, err
	}
	a := ledger.Acceptance{Vault: v.id, Charter: v.inForce().CID(), Operator: v.store.cfg.Operator}
	err := v.read(func(x index) error {
		a.Time = x.number(aboutAccepted)
		return nil
	})
	if err != nil {
		return ident.Signed{}, err
	}
	return ledger.SignAcceptance(key, a)
}
