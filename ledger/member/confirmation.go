package member

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// What guardians confirm is kept as long as the shares are those of the charter in
// force, the newest of each guardian: in a file of his, which is replaced, and then in
// the database.
//
//	confirmation/<guardian's key hex>

// Confirm keeps a guardian's confirmation of his share, in the place of an older one of
// his. One that is known already is no error; one that is older than what is kept is
// ledger.ErrSuperseded, one of the future ledger.ErrExpired. It is on the disk when
// Confirm returns nil.
func (s *Store) Confirm(vault ident.CID, confirmation ident.Signed) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	charters := v.charters()
	c, err := ledger.VerifyConfirmation(confirmation, charters)
	if err != nil {
		return err
	}
	if ledger.Time(c.Clock).After(s.cfg.Now().Add(ledger.ClockSkew)) {
		return fmt.Errorf("confirmation: %w: its clock is ahead of this member's", ledger.ErrExpired)
	}
	v.releasing.Lock()
	defer v.releasing.Unlock()
	known := false
	err = v.read(func(x index) error {
		known, err = x.confirmed(c, confirmation, charters)
		return err
	})
	if err != nil || known {
		return err
	}
	if err := v.dirs.writeConfirmation(c.By, confirmation); err != nil {
		return fmt.Errorf("keep confirmation: %w", err)
	}
	err = v.change(func(x index) error { return x.newest(charters) }, func(x index) error { return x.putConfirmation(c.By, confirmation) })
	if err != nil {
		return fmt.Errorf("keep confirmation: %w", err)
	}
	v.tidyConfirmations()
	return nil
}

// Confirmations returns what the guardians of the charter in force have confirmed, by
// their keys: one of each at most.
func (s *Store) Confirmations(vault ident.CID) (list []ident.Signed, err error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	err = v.read(func(x index) error {
		return x.bucket(confirmationsBucket).ForEach(func(_, p []byte) error {
			s, err := parseConfirmation(p)
			list = append(list, s)
			return err
		})
	})
	return list, err
}

// charters returns those that have been in force, the newest last.
func (v *vault) charters() []ledger.Charter { return v.chain().Since(v.id) }

// newest checks that no charter has come into force since these, nor does with the same
// flush: it may have other shares, and what was confirmed of the old ones is dropped.
func (x index) newest(charters []ledger.Charter) error {
	if x.get(chartersBucket, number(int64(len(charters)+1))) != nil {
		return fmt.Errorf("%w: another one comes into force", ledger.ErrCharter)
	}
	return nil
}

// confirmed reports whether a confirmation is what is kept of its guardian. If a newer
// one is, that is ledger.ErrSuperseded.
func (x index) confirmed(c ledger.Confirmation, signed ident.Signed, charters []ledger.Charter) (bool, error) {
	p := x.get(confirmationsBucket, c.By.Bytes())
	if p == nil {
		return false, nil
	}
	kept, err := parseConfirmation(p)
	if err != nil || kept.CID() == signed.CID() {
		return err == nil, err
	}
	was, err := ledger.VerifyConfirmation(kept, charters)
	if err == nil && was.Newer(c) {
		err = fmt.Errorf("%w: of %s", ledger.ErrSuperseded, ledger.Time(was.Clock).UTC())
	}
	return false, err
}

func (x index) putConfirmation(guardian ident.PublicKey, s ident.Signed) error {
	p, err := wire.Encode(s)
	if err != nil {
		return err
	}
	return x.put(confirmationsBucket, guardian.Bytes(), p)
}

func parseConfirmation(p []byte) (s ident.Signed, err error) {
	if err = wire.Decode(p, &s); err != nil {
		err = fmt.Errorf("read confirmation: %w: %w", ErrCorrupt, err)
	}
	return s, err
}

// dropConfirmations forgets what was confirmed if the next charter has other shares.
//
// SPEC: shares that are dealt anew are confirmed anew
func (x index) dropConfirmations(was, next ledger.Charter) error {
	if ledger.SameShares(was, next) {
		return nil
	}
	b := x.bucket(confirmationsBucket)
	var keys [][]byte
	err := b.ForEach(func(k, _ []byte) error {
		keys = append(keys, append([]byte(nil), k...))
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, b.Delete(k))
	}
	return err
}

func (d dirs) confirmationPath(guardian ident.PublicKey) string {
	return filepath.Join(d.confirmation, fmt.Sprintf("%x", guardian[:]))
}

func (d dirs) writeConfirmation(guardian ident.PublicKey, s ident.Signed) error {
	p, err := wire.Encode(s)
	if err == nil {
		err = makeDir(d.confirmation) // a vault that was accepted before has none
	}
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(d.confirmationPath(guardian), p, 0o600)
}

// tidyConfirmations removes the files of guardians of whom nothing is kept any more.
// One that stays counts for nothing when the database is rebuilt. The caller holds
// v.releasing.
func (v *vault) tidyConfirmations() {
	files, err := os.ReadDir(v.dirs.confirmation)
	kept := map[string]bool{}
	err = errors.Join(err, v.read(func(x index) error {
		return x.bucket(confirmationsBucket).ForEach(func(k, _ []byte) error {
			key, err := ident.PublicKeyFromBytes(k)
			kept[v.dirs.confirmationPath(key)] = true
			return err
		})
	}))
	for i := 0; err == nil && i < len(files); i++ {
		if path := filepath.Join(v.dirs.confirmation, files[i].Name()); !kept[path] {
			err = os.Remove(path)
		}
	}
	if err != nil {
		v.store.cfg.Log.Warn("files of former guardians are not removed", "vault", v.id, "error", err)
	}
}

// confirmations takes in what guardians have confirmed of the shares of the newest
// charter that was found. What is of others was left behind by them.
func (b *rebuilder) confirmations(v *vault) error {
	files, err := os.ReadDir(v.dirs.confirmation)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !isHex(f.Name()) {
			continue
		}
		c, signed, err := v.readConfirmation(f.Name())
		switch {
		case errors.Is(err, ledger.ErrCharter):
			continue
		case err != nil:
			b.skip(fmt.Errorf("confirmation %s: %w", f.Name(), err))
			continue
		}
		if err := v.rewrite(func(x index) error { return x.putConfirmation(c.By, signed) }); err != nil {
			return err
		}
	}
	return nil
}

// readConfirmation reads and verifies a file.
func (v *vault) readConfirmation(name string) (ledger.Confirmation, ident.Signed, error) {
	path := filepath.Join(v.dirs.confirmation, name)
	p, err := readFile(path, 2*ledger.MaxSmall)
	if err != nil {
		return ledger.Confirmation{}, ident.Signed{}, err
	}
	signed, err := parseConfirmation(p)
	if err != nil {
		return ledger.Confirmation{}, ident.Signed{}, err
	}
	c, err := ledger.VerifyConfirmation(signed, v.charters())
	if err == nil && v.dirs.confirmationPath(c.By) != path {
		err = fmt.Errorf("%w: it is that of %s", ErrCorrupt, c.By)
	}
	return c, signed, err
}
