package member

import (
	"bytes"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// fillStep is how many bodies, or receipts, are read in one transaction.
const fillStep = 256

// fill writes down who holds what in vaults that were kept before this was written down
// with their entries: once, and in steps, so that a stop between two costs nothing.
func (s *Store) fill() error {
	for _, id := range s.All() {
		f := filler{vault: s.vaults[id], limit: fillStep}
		if err := f.run(); err != nil {
			return fmt.Errorf("find who holds the shards of vault %s: %w", id, err)
		}
	}
	return nil
}

// filler goes through one vault.
type filler struct {
	vault *vault
	limit int    // bodies and receipts in one step
	after []byte // entry that was the last one of the step before
}

func (f *filler) run() error {
	done := false
	err := f.vault.read(func(x index) error {
		done = x.moves() != [8]byte{}
		return nil
	})
	for err == nil && !done {
		err = f.vault.store.db.Update(func(tx *bolt.Tx) error {
			var err error
			done, err = f.step(index{b: tx.Bucket(f.vault.id.Bytes())})
			return err
		})
	}
	return err
}

// step does a part, and reports whether it was the last.
func (f *filler) step(x index) (done bool, err error) {
	left := f.limit
	if left, err = f.receipts(x, left); err != nil || left == 0 {
		return false, err
	}
	if left, err = f.entries(x, left); err != nil || left == 0 {
		return false, err
	}
	return true, errors.Join(x.dropUnfiled(), x.beginMoves())
}

// receipts enters receipts that have no place in the order yet, and files them under their
// operators. One that is damaged is forgotten.
func (f *filler) receipts(x index, left int) (int, error) {
	var names []ident.CID
	c := x.bucket(receiptsBucket).Cursor()
	for k, p := c.First(); k != nil && len(names) < left; k, p = c.Next() {
		if len(p) == enteredSize {
			continue
		}
		id, err := ident.CIDFromBytes(k)
		if err != nil {
			return 0, fmt.Errorf("read receipts: %w", ErrCorrupt)
		}
		names = append(names, id)
	}
	for _, id := range names {
		if err := x.bucket(receiptsBucket).Delete(id.Bytes()); err != nil {
			return 0, err
		}
		_, r, cert, err := f.vault.dirs.readPlacement(id, f.vault.chain())
		if err != nil {
			f.vault.store.cfg.Log.Warn("placement is left out", "vault", f.vault.id, "receipt", id, "error", err)
			continue
		}
		if _, err := x.place(id, r, cert); err != nil {
			return 0, err
		}
	}
	return left - len(names), nil
}

// dropUnfiled forgets placements that no operator was found for.
func (x index) dropUnfiled() error {
	var keys [][]byte
	err := x.bucket(placementsBucket).ForEach(func(k, _ []byte) error {
		if len(k) == placementShard {
			keys = append(keys, bytes.Clone(k))
		}
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, x.bucket(placementsBucket).Delete(k))
	}
	return err
}

// entries makes the tables of snapshots that have none.
func (f *filler) entries(x index, left int) (int, error) {
	c := x.bucket(refsBucket).Cursor()
	k, _ := c.First()
	if f.after != nil {
		if k, _ = c.Seek(f.after); bytes.Equal(k, f.after) {
			k, _ = c.Next()
		}
	}
	for ; k != nil && left > 0; k, _ = c.Next() {
		f.after = bytes.Clone(k)
		id, err := ident.CIDFromBytes(k)
		if err != nil {
			return 0, err
		}
		if x.get(tablesBucket, k) != nil {
			continue
		}
		left--
		if err := f.entry(x, id); err != nil {
			return 0, err
		}
	}
	return left, nil
}

// entry makes the table of one snapshot. Of one whose file is damaged there is none until
// it is repaired.
func (f *filler) entry(x index, id ident.CID) error {
	eff, err := f.read(x, id)
	if err != nil {
		f.vault.store.cfg.Log.Warn("entry is left out", "vault", f.vault.id, "entry", id, "error", err)
		return nil
	}
	return x.completeTable(id, eff)
}

func (f *filler) read(x index, id ident.CID) (ledger.Effect, error) {
	rec, _, err := x.entry(id)
	if err != nil {
		return ledger.Effect{}, err
	}
	l, err := rec.link()
	if err != nil {
		return ledger.Effect{}, err
	}
	e, err := ledger.VerifyEntry(l.Entry)
	if err != nil {
		return ledger.Effect{}, err
	}
	body, err := f.vault.bodyOf(x, id)
	if err != nil {
		return ledger.Effect{}, err
	}
	ch, err := f.vault.charterOf(e.Charter)
	if err != nil {
		return ledger.Effect{}, err
	}
	return ledger.ReadEffect(ch, e, body)
}

// completeTable makes the table of a snapshot that has none, and notes which of its
// segments another entry has brought.
func (x index) completeTable(id ident.CID, eff ledger.Effect) error {
	if x.get(tablesBucket, id.Bytes()) != nil {
		return nil
	}
	for _, s := range eff.Segments {
		in, _, err := x.introduction(s.CID)
		if err != nil {
			return err
		}
		if in.entry == id {
			x.touchSegments(s.CID)
		} else if err := x.put(contestedBucket, s.CID.Bytes(), []byte{}); err != nil {
			return err
		}
	}
	return x.putTable(id, eff)
}
