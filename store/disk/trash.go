package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"holdfast/internal/ident"
	"holdfast/store"
)

// Discard implements store.Trash.
func (d *Disk) Discard(ctx context.Context, key store.Key, why store.Reason) error {
	if !why.Valid() {
		return fmt.Errorf("discard shard %v: no reason", key)
	}
	if err := d.inside(ctx, key, func() error { return d.discard(key, why) }); err != nil {
		return fmt.Errorf("discard shard %v: %w", key, err)
	}
	return nil
}

// Discarded implements store.Trash.
func (d *Disk) Discarded(ctx context.Context, key store.Key) (found store.Discarded, err error) {
	err = d.inside(ctx, key, func() error {
		found, err = d.discarded(key)
		return err
	})
	if err != nil {
		return store.Discarded{}, fmt.Errorf("look for shard %v in the trash: %w", key, err)
	}
	return found, nil
}

// Recall implements store.Trash.
func (d *Disk) Recall(ctx context.Context, key store.Key) error {
	if err := d.inside(ctx, key, func() error { return d.recall(key) }); err != nil {
		return fmt.Errorf("recall shard %v: %w", key, err)
	}
	return nil
}

// Erase implements store.Trash.
func (d *Disk) Erase(ctx context.Context, key store.Key) error {
	if err := d.inside(ctx, key, func() error { return d.erase(key) }); err != nil {
		return fmt.Errorf("erase shard %v: %w", key, err)
	}
	return nil
}

// Discards implements store.Trash.
func (d *Disk) Discards(ctx context.Context, vault ident.CID) iter.Seq2[store.Discarded, error] {
	return func(yield func(store.Discarded, error) bool) {
		enough := errors.New("enough")
		err := d.Check(ctx)
		if err == nil {
			err = d.walkTrash(ctx, vault, func(found store.Discarded) error {
				if !yield(found, nil) {
					return enough
				}
				return nil
			})
		}
		if err == nil {
			err = d.Check(ctx) // an empty folder is no empty trash if the volume is gone
		}
		if err != nil && !errors.Is(err, enough) {
			yield(store.Discarded{}, fmt.Errorf("list trash: %w", err))
		}
	}
}

// inside runs a short operation on a shard that may exist.
func (d *Disk) inside(ctx context.Context, key store.Key, f func() error) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if !key.Valid() {
		return store.ErrNotFound
	}
	if err := d.relieve(); err != nil {
		return err
	}
	return d.explain(f())
}

func (d *Disk) discard(key store.Key, why store.Reason) error {
	if err := d.folders.ensure(d.at.bin(key)); err != nil {
		return err
	}
	err := d.moveOut(key, why)
	if errors.Is(err, store.ErrNotFound) {
		return d.absent(key)
	}
	return err
}

// moveOut moves a shard's file to the trash, if it has one.
func (d *Disk) moveOut(key store.Key, why store.Reason) error {
	defer d.locks.lock(key)()
	from, to := d.at.shard(key), d.at.discarded(key, why)
	fi, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return store.ErrNotFound
	}
	if err == nil {
		err = d.emptyBin(key) // of what a move that failed may have left
	}
	if err != nil {
		return err
	}
	hint, err := d.move(from, to)
	if err != nil {
		return err
	}
	d.uncount(key, hint)
	d.space.trash(fi.Size())
	return d.folders.sync(filepath.Dir(from))
}

func (d *Disk) recall(key store.Key) error {
	if err := d.folders.ensure(d.at.folder(key)); err != nil {
		return err
	}
	defer d.locks.lock(key)()
	found, err := d.discarded(key)
	if err != nil {
		return err
	}
	if d.exists(key) {
		return d.emptyBin(key)
	}
	from := d.at.discarded(key, found.Reason)
	hint, err := d.move(from, d.at.shard(key))
	if err != nil {
		return err
	}
	d.space.trash(-found.Bytes)
	if err := d.recount(key, hint); err != nil {
		return err
	}
	return d.folders.sync(filepath.Dir(from))
}

// recount notes a shard that is in its place again. One that is corrupt is left for
// its first reader, who puts it into quarantine. The caller holds the key's lock.
func (d *Disk) recount(key store.Key, hint string) error {
	s, err := d.openShard(key)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		d.uncount(key, hint)
		return s.Close()
	case err != nil:
		return err // the hint stays, and says so when the volume is opened
	}
	d.count(s.head, hint)
	return s.Close()
}

// move gives a file another place in such a way that no crash leaves it without one:
// the new name is flushed before the old one is taken away. The caller flushes the
// folder of the old one. The old name stays in tmp/ as a hint, where that can be.
func (d *Disk) move(from, to string) (hint string, err error) {
	linked := d.files.link(from, to) == nil
	if !linked {
		// The file system has no links.
		if err := d.files.rename(from, to); err != nil {
			d.folders.forget() // one may have been removed under us
			return "", err
		}
	}
	err = d.folders.sync(filepath.Dir(to))
	if err == nil && linked {
		hint = d.tempPath()
		err = d.files.rename(from, hint)
	}
	if err == nil {
		return hint, nil
	}
	// Not promised, so not done.
	if linked {
		_ = d.files.remove(to)
	} else {
		_ = d.files.rename(to, from)
	}
	return "", err
}

func (d *Disk) erase(key store.Key) error {
	defer d.locks.lock(key)()
	if _, err := d.discarded(key); err != nil {
		return err
	}
	return d.emptyBin(key)
}

// leaveTrash takes a shard that is in its place out of the trash. The caller holds
// the key's lock.
func (d *Disk) leaveTrash(key store.Key) error {
	if d.space.usage().Trashed == 0 {
		return nil
	}
	return d.emptyBin(key)
}

// emptyBin removes whatever the trash has of a shard. The caller holds the key's lock.
func (d *Disk) emptyBin(key store.Key) error {
	there, _ := os.Lstat(d.at.shard(key)) // nil if there is none
	any := false
	err := d.eachDiscarded(key, func(found store.Discarded, fi fs.FileInfo) error {
		if err := d.files.remove(d.at.discarded(key, found.Reason)); err != nil {
			return err
		}
		any = true
		if there == nil || !os.SameFile(there, fi) {
			d.space.trash(-found.Bytes) // a second name of the same file was never counted
		}
		return nil
	})
	if err != nil || !any {
		return err
	}
	return d.folders.sync(d.at.bin(key))
}

// discarded returns what the trash says of a shard.
func (d *Disk) discarded(key store.Key) (found store.Discarded, err error) {
	err = d.eachDiscarded(key, func(f store.Discarded, _ fs.FileInfo) error {
		found = f
		return nil
	})
	if err == nil && found.Key != key {
		err = store.ErrNotFound
		if paused := d.volume.check(); paused != nil {
			err = paused
		}
	}
	return found, err
}

// isDiscarded reports whether a shard is in the trash, as far as that can be seen.
func (d *Disk) isDiscarded(key store.Key) bool {
	_, err := d.discarded(key)
	return err == nil
}

func (d *Disk) eachDiscarded(key store.Key, f func(store.Discarded, fs.FileInfo) error) error {
	return eachName(d.at.bin(key), func(name string) error {
		if !strings.HasPrefix(name, shardName(key)+".") {
			return nil
		}
		return d.inBin(key.Vault, d.at.bin(key), name, f)
	})
}

// walkTrash calls f for every file that has the name of a discarded shard where that
// shard belongs, of one vault or of all for the zero CID.
func (d *Disk) walkTrash(ctx context.Context, vault ident.CID, f func(store.Discarded) error) error {
	of := func(vault ident.CID) error {
		return eachFile(ctx, d.at.trash(), vault, func(folder, name string) error {
			return d.inBin(vault, folder, name, func(found store.Discarded, _ fs.FileInfo) error { return f(found) })
		})
	}
	if vault.Defined() {
		return of(vault)
	}
	return eachVault(ctx, d.at.trash(), of)
}

// inBin calls f if a name in the trash is that of a shard.
func (d *Disk) inBin(vault ident.CID, folder, name string, f func(store.Discarded, fs.FileInfo) error) error {
	key, why, ok := parseDiscarded(vault, name)
	if !ok || d.at.bin(key) != folder {
		return nil
	}
	fi, err := os.Lstat(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone since it was listed
	}
	if err != nil {
		return err
	}
	return f(store.Discarded{Key: key, Reason: why, Bytes: fi.Size()}, fi)
}
