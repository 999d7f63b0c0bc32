package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"holdfast/store"
)

// Remove implements store.Shelf. The space is free again when the index has been
// flushed.
func (d *Disk) Remove(ctx context.Context, key store.Key) error {
	if err := d.remove(ctx, key); err != nil {
		return fmt.Errorf("remove shard %v: %w", key, err)
	}
	return nil
}

func (d *Disk) remove(ctx context.Context, key store.Key) error {
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
	err = d.takeOut(key)
	if errors.Is(err, fs.ErrNotExist) {
		return d.absent(key)
	}
	return err
}

// takeOut moves a shard's file to tmp/, where it is a hint until the index knows
// that the shard is gone.
func (d *Disk) takeOut(key store.Key) error {
	defer d.locks.lock(key)()
	temp := d.tempPath()
	if err := d.files.rename(d.at.shard(key), temp); err != nil {
		return err
	}
	// The index follows what is on disk, and never leads.
	err := d.folders.sync(d.at.folder(key))
	d.uncount(key, temp)
	return err
}
