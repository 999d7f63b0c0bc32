package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/store"
)

// quarantine moves the open file f, which was found corrupt in the place of key,
// out of the way, so that it is never served and is there to be looked at. It does
// nothing to a file that has been put there in the meantime. The caller has entered.
func (d *Disk) quarantine(key store.Key, f *os.File, cause error) {
	moved, err := d.moveAside(key, f)
	if err != nil {
		d.report(Unreadable, key, fmt.Errorf("move to quarantine: %w", err))
	}
	if moved {
		if err := d.flush(); err != nil {
			d.report(IndexFailed, key, err)
		}
	}
	if moved || err != nil {
		d.report(Corrupt, key, cause)
	}
}

func (d *Disk) moveAside(key store.Key, f *os.File) (moved bool, err error) {
	defer d.locks.lock(key)()
	found, err := f.Stat()
	if err != nil || !d.inPlace(key, f) {
		return false, err // or somebody was faster
	}
	if err := d.files.rename(d.at.shard(key), d.quarantinePath(key)); err != nil {
		return false, err
	}
	d.space.quarantine(found.Size())
	d.uncount(key, "")
	// If the move does not survive a crash, the damage is found once more.
	return true, errors.Join(d.folders.sync(d.at.quarantine()), d.folders.sync(d.at.folder(key)))
}

// quarantinePath names vault, shard, the day, and a number: a shard may be put again
// and go bad again.
func (d *Disk) quarantinePath(key store.Key) string {
	day := d.config.Now().UTC().Format("20060102T150405")
	name := fmt.Sprintf("%s.%s.%s.%d", key.Vault.Hex(), shardName(key), day, d.temp.Add(1))
	return filepath.Join(d.at.quarantine(), name)
}
