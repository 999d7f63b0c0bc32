package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"holdfast/store"
)

// Put implements store.Shelf. A crash at any moment leaves the shard whole or not
// at all, and whole once Put has returned nil. A shard that is there already is read
// and verified first; if it is whole, nothing is written.
func (d *Disk) Put(ctx context.Context, key store.Key, descriptor []byte, r io.Reader) error {
	// The index keeps the descriptor after the caller has it back.
	h, err := newHeader(key, bytes.Clone(descriptor))
	if err == nil {
		err = d.put(ctx, h, r)
	}
	if err != nil {
		return fmt.Errorf("put shard %v: %w", key, d.explain(err))
	}
	return nil
}

// explain finds the refusal behind an error of the operating system: no space, or
// no volume any more.
func (d *Disk) explain(err error) error {
	if outOfSpace(err) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	var path *fs.PathError
	var link *os.LinkError
	if errors.As(err, &path) || errors.As(err, &link) {
		if paused := d.volume.check(); paused != nil && !errors.Is(err, store.ErrPaused) {
			return fmt.Errorf("%w: %w", paused, err)
		}
	}
	return err
}

func (d *Disk) put(ctx context.Context, h header, r io.Reader) error {
	good, err := d.verifyExisting(ctx, h.key)
	if err != nil {
		return err
	}
	if good {
		return d.writeShard(ctx, io.Discard, h, r)
	}
	if err := d.space.reserve(h.fileSize()); err != nil {
		return err
	}
	defer d.space.release(h.fileSize())
	temp, err := d.writeTemp(ctx, h, r)
	if err != nil {
		return err
	}
	if err := d.commit(ctx, h, temp); err != nil {
		// It may be gone already; if not, the next Open removes it.
		_ = d.files.remove(temp)
		return err
	}
	return nil
}

// verifyExisting reports whether the shard is there, whole and durable. One that is
// corrupt goes into quarantine and makes room for the one to come; of one that the disk
// cannot read the one to come takes the place.
func (d *Disk) verifyExisting(ctx context.Context, key store.Key) (bool, error) {
	s, err := d.find(ctx, key)
	if err != nil {
		return false, d.ignoreUnreadable(ctx, err)
	}
	defer s.Close()
	if _, err := s.WriteTo(contextWriter{ctx}); err != nil {
		return false, d.ignoreUnreadable(ctx, err)
	}
	return d.secure(ctx, s)
}

// ignoreUnreadable is ignoreAbsent for a put: what the disk cannot read, of a volume that
// is there, is as good as absent.
func (d *Disk) ignoreUnreadable(ctx context.Context, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && !errors.Is(err, fs.ErrClosed) && ctx.Err() == nil && d.volume.check() == nil {
		return nil
	}
	return ignoreAbsent(err)
}

// secure makes sure of a shard that was found whole: who put it may not have got as
// far as flushing the folder. It reports false if the file is not in its place any
// more.
func (d *Disk) secure(ctx context.Context, s *shard) (bool, error) {
	leave, err := d.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	folder := d.at.folder(s.key)
	if err := d.folders.ensure(folder); err != nil {
		return false, err
	}
	defer d.locks.lock(s.key)()
	if !d.inPlace(s.key, s.file) {
		return false, nil
	}
	if err := d.folders.sync(folder); err != nil {
		return false, err
	}
	// Trouble with the index is no reason to refuse what is safe on disk.
	if err := d.note(s.head); err != nil {
		d.report(IndexFailed, s.key, err)
	}
	return true, nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}

// contextWriter throws away what it gets until its context ends.
type contextWriter struct{ ctx context.Context }

func (w contextWriter) Write(p []byte) (int, error) { return len(p), w.ctx.Err() }

// tempPath returns a new name in tmp/. The volume is ours alone: a number is enough.
func (d *Disk) tempPath() string {
	return filepath.Join(d.at.tmp(), strconv.FormatUint(d.temp.Add(1), 36))
}

// writeTemp writes the shard to a file in tmp/ and flushes it. On an error nothing
// is left there.
func (d *Disk) writeTemp(ctx context.Context, h header, r io.Reader) (path string, err error) {
	leave, err := d.enter(ctx)
	if err != nil {
		return "", err
	}
	err = d.relieve()
	leave()
	if err != nil {
		return "", err
	}
	path = d.tempPath()
	f, err := d.files.create(path)
	if err != nil {
		return "", err
	}
	err = d.writeShard(ctx, f, h, r)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = d.files.remove(path)
		return "", err
	}
	return path, nil
}

// commit gives a flushed file its place, durably, and notes it in the index.
func (d *Disk) commit(ctx context.Context, h header, temp string) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	folder := d.at.folder(h.key)
	if err := d.folders.ensure(folder); err != nil {
		return err
	}
	defer d.locks.lock(h.key)()
	hint, err := d.place(h.key, temp)
	if errors.Is(err, fs.ErrNotExist) {
		// The folder has been removed under us since it was last needed.
		d.folders.forget()
		if err := d.folders.ensure(folder); err != nil {
			return err
		}
		hint, err = d.place(h.key, temp)
	}
	if err != nil {
		return err
	}
	err = d.folders.sync(folder)
	if err != nil && hint != "" {
		// Not promised, so not kept. Without a hint it may have taken the place of one
		// that is promised.
		_ = d.files.remove(d.at.shard(h.key))
		return err
	}
	d.count(h, hint)
	if err != nil {
		return err
	}
	return d.leaveTrash(h.key)
}

// place gives the file temp the shard's name. It leaves the old name as a hint for
// the index, and returns it, where it can.
func (d *Disk) place(key store.Key, temp string) (hint string, err error) {
	to := d.at.shard(key)
	if err := d.files.link(temp, to); err == nil {
		return temp, nil
	}
	// The file system has no links, or somebody else has put the same shard since we
	// looked: ours, which is verified and flushed, takes its place.
	return "", d.files.rename(temp, to)
}

// count notes a shard that is in its place. The caller holds the key's lock.
func (d *Disk) count(h header, hint string) {
	known := d.known(h.key)
	e := h.entry()
	d.index.set(h.key, &e, hint)
	if known == nil {
		d.space.add(e.fileSize())
	}
}

// uncount notes a shard that is not in its place any more. The caller holds the
// key's lock.
func (d *Disk) uncount(key store.Key, hint string) {
	known := d.known(key)
	d.index.set(key, nil, hint)
	if known != nil {
		d.space.remove(known.fileSize())
	}
}

// known is what the index knows. If that cannot be found out, the books are wrong
// from now on, and a rebuild has to put them right.
func (d *Disk) known(key store.Key) *entry {
	e, err := d.index.get(key)
	if err != nil {
		d.stale.Store(true)
		d.report(IndexFailed, key, err)
	}
	return e
}

// note counts a shard that is in its place and may be unknown to the index. The
// caller holds the key's lock.
func (d *Disk) note(h header) error {
	known, err := d.index.get(h.key)
	if err == nil && known == nil {
		d.count(h, "")
	}
	return err
}
