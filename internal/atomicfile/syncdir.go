//go:build !windows

package atomicfile

import (
	"fmt"
	"os"
)

// SyncDir returns when the entries of a folder, that is what was created, renamed
// or removed in it, will survive a crash.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	err = d.Sync()
	if e := d.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
