package member

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
)

// What a vote or an ack promises is in the database, on the disk by one transaction:
// a new file costs two flushes more, and half a millisecond of the file system's
// time. The files, from which the database can be rebuilt, are written behind, many
// at a time. An entry that is certified by then is one file, with its body and its
// certificate; a body that was too large to be held has had its file from the start,
// and gets one with the certificate beside it.

const (
	// settleAt is the number of certified entries that are not among the files at
	// which they are written.
	settleAt = 64
	// maxHeld bounds a body that waits in the database.
	maxHeld = 256 << 10
)

// settleBehind settles while others go on. The caller holds v.mu.
func (v *vault) settleBehind() {
	if v.settling {
		return
	}
	v.settling = true
	v.store.behind.Go(func() {
		if err := v.settle(); err != nil {
			v.store.cfg.Log.Warn("entries are not among the files yet", "vault", v.id, "error", err)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.settling = false
	})
}

// Settle writes the files that are behind. It may be called at any time.
func (s *Store) Settle() error {
	var failed error
	for _, id := range s.All() {
		if v, err := s.vault(id); err == nil {
			failed = errors.Join(failed, v.settle())
		}
	}
	return failed
}

// settled is an entry whose file is flushed.
type settled struct {
	id   ident.CID
	size int64 // of the file with its body; 0 if that was there
}

// settle writes and flushes the files of certified entries, and only then forgets
// what is held of them. It does not hold v.mu while it writes: what it writes does
// not change.
func (v *vault) settle() error {
	v.files.Lock()
	defer v.files.Unlock()
	var todo []ident.CID
	err := v.read(func(x index) error {
		return x.bucket(unsettledBucket).ForEach(func(k, _ []byte) error {
			id, err := ident.CIDFromBytes(k)
			todo = append(todo, id)
			return err
		})
	})
	if err != nil || len(todo) == 0 {
		return err
	}
	done := make([]settled, 0, len(todo))
	for _, id := range todo {
		size, err := v.writeFiles(id)
		if err != nil {
			return fmt.Errorf("write entry %s: %w", id, err)
		}
		done = append(done, settled{id, size})
	}
	if err := atomicfile.SyncDir(v.dirs.entry); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.write(func(x index) error { return x.settle(done) }); err != nil {
		return fmt.Errorf("settle vault %s: %w", v.id, err)
	}
	v.unsettled -= len(done)
	return nil
}

// writeFiles writes and flushes what is behind of one certified entry.
func (v *vault) writeFiles(id ident.CID) (size int64, err error) {
	l, held, err := v.heldEntry(id)
	if err != nil {
		return 0, err
	}
	if held {
		p, err := l.Encode()
		if err != nil {
			return 0, err
		}
		return int64(len(p)), flushCopy(v.dirs.entryPath(id), p)
	}
	var rec record
	err = v.read(func(x index) error {
		rec, _, err = x.certified(id)
		return err
	})
	if err != nil || !rec.Certified {
		return 0, err
	}
	return 0, flushCopy(v.dirs.certPath(id), rec.Link)
}

// settle notes what is among the files now.
func (x index) settle(done []settled) error {
	for _, d := range done {
		key := d.id.Bytes()
		if err := errors.Join(x.bucket(unsettledBucket).Delete(key), x.bucket(heldBucket).Delete(key)); err != nil {
			return err
		}
		if d.size == 0 {
			continue
		}
		rec, ok, err := x.entry(d.id)
		if err == nil && ok {
			rec.Size = d.size
			err = x.putEntry(d.id, rec)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flushCopy flushes a file that should hold p, and writes it if it does not. The
// database holds the same until the folder is flushed as well.
func flushCopy(path string, p []byte) error {
	was, err := os.ReadFile(path)
	flags := os.O_WRONLY
	if err != nil || !bytes.Equal(was, p) {
		flags |= os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	if flags&os.O_TRUNC != 0 {
		_, err = f.Write(p)
	}
	return errors.Join(err, f.Sync(), f.Close())
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
