package atomicfile

import (
	"fmt"
	"os"
)

// SyncDir only checks that the folder is there: NTFS journals its folders, and
// Windows offers no call to flush one.
func SyncDir(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
