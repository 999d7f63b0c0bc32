package member

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Rebuilt says what Rebuild has found.
type Rebuilt struct {
	Vaults, Entries, Placements int
	Requests, Releases          int
	Skipped                     []error // files that were left out, and why
}

const rebuildName = databaseName + ".new"

// Rebuild makes the database again from the files, while no Store is open. All of it
// comes back but the locks: a vote key that stands in a charter found here signs
// nothing more for that vault (ErrForgotten), until a charter names another. What
// the store then serves is what the files prove.
func Rebuild(cfg Config) (Rebuilt, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Rebuilt{}, err
	}
	path := filepath.Join(cfg.Dir, rebuildName)
	if err := os.RemoveAll(path); err != nil {
		return Rebuilt{}, fmt.Errorf("rebuild member: %w", err)
	}
	s, err := openDatabase(cfg, path)
	if err != nil {
		return Rebuilt{}, fmt.Errorf("rebuild member: %w", err)
	}
	b := rebuilder{store: s}
	err = errors.Join(b.all(), s.db.Close())
	if err == nil {
		err = os.Rename(path, filepath.Join(cfg.Dir, databaseName))
	}
	if err == nil {
		err = atomicfile.SyncDir(cfg.Dir)
	}
	if err != nil {
		return Rebuilt{}, errors.Join(fmt.Errorf("rebuild member: %w", err), os.RemoveAll(path))
	}
	return b.found, nil
}

// rebuilder reads files into an empty database.
type rebuilder struct {
	store *Store
	found Rebuilt
}

func (b *rebuilder) skip(err error) {
	b.found.Skipped = append(b.found.Skipped, err)
	b.store.cfg.Log.Warn("file is left out", "error", err)
}

func (b *rebuilder) all() error {
	names, err := vaultDirs(b.store.cfg.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		v, err := b.vault(name)
		if err != nil {
			b.skip(fmt.Errorf("vault %s: %w", name, err))
			continue
		}
		if err := b.fill(v); err != nil {
			return fmt.Errorf("vault %s: %w", v.id, err)
		}
		b.found.Vaults++
	}
	return nil
}

// vault reads the charter of a folder.
func (b *rebuilder) vault(name string) (*vault, error) {
	signed, err := dirs{charter: filepath.Join(b.store.cfg.Dir, name, "charter")}.readCharter(1)
	if err != nil {
		return nil, err
	}
	v, err := b.store.newVault(signed)
	if err == nil && v.id.Hex() != name {
		err = fmt.Errorf("%w: it is vault %s", ErrCorrupt, v.id)
	}
	return v, err
}

func (b *rebuilder) fill(v *vault) error {
	err := b.store.db.Update(func(tx *bolt.Tx) error {
		x, err := createIndex(tx, v.signed)
		if err == nil {
			err = b.charters(v, x)
		}
		if err != nil {
			return err
		}
		m, ok := v.inForce().Member(b.store.cfg.Operator)
		if !ok {
			return nil
		}
		return x.putForgotten(m.Vote)
	})
	if err != nil {
		return err
	}
	if err := v.dirs.make(); err != nil {
		return err
	}
	if err := b.entries(v); err != nil {
		return err
	}
	if err := b.placements(v); err != nil {
		return err
	}
	if err := b.confirmations(v); err != nil {
		return err
	}
	return b.cases(v)
}

// charters takes in the charters after the first, as far as their files prove them.
func (b *rebuilder) charters(v *vault, x index) error {
	chain := v.chain()
	for {
		next, link, err := v.dirs.readSuccession(chain)
		if err != nil {
			break // the last one is the newest that is known here
		}
		if err := x.put(chartersBucket, number(int64(next.Len())), link); err != nil {
			return err
		}
		chain = next
	}
	now, err := v.under(x, chain)
	if err == nil {
		v.now.Store(now)
	}
	return err
}

// file is a certified entry that was found.
type file struct {
	entry   ledger.Entry
	cert    ledger.Raw
	attempt int64
}

// entries takes in every lane, as far as its chain holds. Of several certificates at a
// height that with the highest attempt counts.
func (b *rebuilder) entries(v *vault) error {
	files, err := b.certified(v)
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Or(a.entry.Lane.Compare(b.entry.Lane), cmp.Compare(a.entry.Height, b.entry.Height), cmp.Compare(a.attempt, b.attempt))
	})
	for _, f := range files {
		if err := b.entry(v, f); err != nil {
			return err
		}
	}
	return nil
}

// certified lists the entries for which there is a certificate, in one of the two
// places.
func (b *rebuilder) certified(v *vault) ([]file, error) {
	names, err := os.ReadDir(v.dirs.entry)
	if err != nil {
		return nil, err
	}
	found := make(map[ident.CID]file)
	for _, n := range names {
		name, isCert := strings.CutSuffix(n.Name(), certSuffix)
		if !isHex(name) {
			continue
		}
		id := hexCID(name)
		l, e, c, err := readLink(filepath.Join(v.dirs.entry, n.Name()), id, v.chain())
		if err != nil {
			b.skip(err)
			continue
		}
		if !l.Cert.IsZero() && (isCert || l.Body != nil) {
			found[id] = file{e, l.Cert, c.Attempt}
		}
	}
	files := make([]file, 0, len(found))
	for _, f := range found {
		files = append(files, f)
	}
	return files, nil
}

// entry takes in one certified entry, if it follows the head of its lane.
func (b *rebuilder) entry(v *vault, f file) error {
	id := f.entry.CID()
	l, _, err := v.dirs.readEntry(id, v.chain())
	if err != nil {
		b.skip(err)
		return nil
	}
	var eff ledger.Effect
	ch, err := v.charterOf(f.entry.Charter)
	if err == nil {
		eff, err = ledger.ReadEffect(ch, f.entry, l.Body)
	}
	if err != nil {
		b.skip(err)
		return nil
	}
	l.Cert = f.cert
	fi, err := os.Stat(v.dirs.entryPath(id))
	if err != nil {
		return err
	}
	return v.rewrite(func(x index) error {
		was, err := v.laneState(x, f.entry.Charter, f.entry.Lane)
		if err != nil {
			return err
		}
		now, err := was.Adopt(ledger.Ballot{Height: f.entry.Height, Attempt: f.attempt, Entry: id, Prev: f.entry.Prev})
		if err != nil {
			b.skip(err)
			return nil
		}
		if now.Height == was.Height {
			u, err := v.undoOf(x, was.Entry)
			if err == nil {
				err = x.rollBack(u)
			}
			if err != nil {
				return err
			}
			b.found.Entries--
		}
		before, _, err := x.entry(f.entry.Prev)
		if err != nil {
			return err
		}
		b.found.Entries++
		rec := record{Count: before.Count + int64(len(eff.Segments)), Size: fi.Size(), Certified: true, Attempt: f.attempt, Unsure: !now.Sure, Seen: ledger.Millis(b.store.cfg.Now())}
		return errors.Join(x.putLink(f.entry, l, eff, rec), x.putCertified(f.entry, eff))
	})
}

func (b *rebuilder) placements(v *vault) error {
	names, err := os.ReadDir(v.dirs.placement)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !isHex(n.Name()) {
			continue
		}
		id := hexCID(n.Name())
		_, r, c, err := v.dirs.readPlacement(id, v.chain())
		if err != nil {
			b.skip(err)
			continue
		}
		err = v.rewrite(func(x index) error {
			if err := x.checkShards(r); err != nil {
				b.skip(fmt.Errorf("placement %s: %w", id, err))
				return nil
			}
			b.found.Placements++
			_, err := x.place(id, r, c)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rewrite is write for a database that is not in use yet.
func (v *vault) rewrite(f func(index) error) error {
	return v.store.db.Update(func(tx *bolt.Tx) error { return f(index{b: tx.Bucket(v.id.Bytes())}) })
}
