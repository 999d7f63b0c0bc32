package member

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
)

// A certificate is promised by the database. Its copy among the files, from which
// the database can be rebuilt, is written without a flush, and the database
// remembers that. Now and then the copies are flushed, many at a time: most of them
// are on the disk by then.

// settleAt is the number of copies that are not flushed at which they are.
const settleAt = 64

// copyCert writes the copy of a certificate that is in the database. A failure
// costs nothing that was promised: the copy is written again by settle.
func (v *vault) copyCert(id ident.CID, link []byte) {
	v.unsettled++
	if err := os.WriteFile(v.dirs.certPath(id), link, 0o600); err != nil {
		v.store.cfg.Log.Warn("certificate is not copied yet", "vault", v.id, "entry", id, "error", err)
	}
	if v.unsettled < settleAt {
		return
	}
	if err := v.settle(); err != nil {
		v.store.cfg.Log.Warn("certificates are not flushed yet", "vault", v.id, "error", err)
	}
}

// settle flushes the copies. The caller holds v.mu, or nobody else runs.
func (v *vault) settle() error {
	if v.unsettled == 0 {
		return nil
	}
	var done []ident.CID
	err := v.read(func(x index) error {
		return x.bucket(unsettledBucket).ForEach(func(k, _ []byte) error {
			id, err := ident.CIDFromBytes(k)
			if err != nil {
				return err
			}
			rec, ok, err := x.certified(id)
			if err == nil && ok {
				err = flushCopy(v.dirs.certPath(id), rec.Link)
			}
			done = append(done, id)
			return err
		})
	})
	if err == nil {
		err = atomicfile.SyncDir(v.dirs.entry)
	}
	if err == nil {
		err = v.write(func(x index) error {
			var failed error
			for _, id := range done {
				failed = errors.Join(failed, x.bucket(unsettledBucket).Delete(id.Bytes()))
			}
			return failed
		})
	}
	if err != nil {
		return fmt.Errorf("flush certificates of vault %s: %w", v.id, err)
	}
	v.unsettled = 0
	return nil
}

// flushCopy flushes a file that should hold p, and writes it if it does not.
func flushCopy(path string, p []byte) error {
	was, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(was, p) {
		return atomicfile.WriteFile(path, p, 0o600)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// repair puts in order what an unclean stop has left behind.
func (v *vault) repair() error {
	for _, dir := range []string{v.dirs.charter, v.dirs.entry, v.dirs.placement} {
		if err := atomicfile.RemoveTemp(dir); err != nil {
			return err
		}
	}
	return v.settle()
}
