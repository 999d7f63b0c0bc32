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

// count notes how many more certified entries are not among the files.
func (v *vault) count(more int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.unsettled += more
	if v.unsettled >= settleAt {
		v.settleBehind()
	}
}

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
	id      ident.CID
	size    int64 // of the file with its body; 0 if that was there
	attempt int64 // of the certificate that was written
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
		d, err := v.writeFiles(id)
		if err != nil {
			return fmt.Errorf("write entry %s: %w", id, err)
		}
		done = append(done, d)
	}
	if err := atomicfile.SyncDir(v.dirs.entry); err != nil {
		return err
	}
	filed := 0
	err = v.write(func(x index) error {
		filed, err = x.settle(done)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle vault %s: %w", v.id, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.unsettled -= filed
	return nil
}

// writeFiles writes and flushes what is behind of one certified entry.
func (v *vault) writeFiles(id ident.CID) (settled, error) {
	d := settled{id: id}
	l, held, err := v.heldEntry(id)
	if err != nil {
		return d, err
	}
	var rec record
	err = v.read(func(x index) error {
		rec, _, err = x.certified(id)
		return err
	})
	if err != nil || !rec.Certified {
		return d, err
	}
	d.attempt = rec.Attempt
	if !held {
		return d, flushCopy(v.dirs.certPath(id), rec.Link)
	}
	short, err := rec.link()
	if err != nil {
		return d, err
	}
	l.Cert = short.Cert
	p, err := l.Encode()
	d.size = int64(len(p))
	return d, errors.Join(err, flushCopy(v.dirs.entryPath(id), p))
}

// settle notes what is among the files now, and returns how many entries that were
// waiting for it. One that has got another certificate since waits on; one that was
// rolled back has been taken from the list.
func (x index) settle(done []settled) (filed int, err error) {
	for _, d := range done {
		key := d.id.Bytes()
		rec, ok, err := x.entry(d.id)
		if err != nil || !ok {
			return 0, errors.Join(err, ErrCorrupt)
		}
		if d.size > 0 {
			rec.Size = d.size
			if err := errors.Join(x.putEntry(d.id, rec), x.bucket(heldBucket).Delete(key)); err != nil {
				return 0, err
			}
		}
		if rec.Certified && rec.Attempt != d.attempt {
			continue
		}
		if x.get(unsettledBucket, key) != nil {
			filed++
		}
		if err := x.bucket(unsettledBucket).Delete(key); err != nil {
			return 0, err
		}
	}
	return filed, nil
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
	if err := v.dirs.make(); err != nil {
		return err
	}
	for _, dir := range []string{v.dirs.charter, v.dirs.entry, v.dirs.placement, v.dirs.request, v.dirs.release} {
		if err := atomicfile.RemoveTemp(dir); err != nil {
			return err
		}
	}
	return v.settle()
}
