package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Remove removes a vault's index, which nobody has open. It is a cache: what it held is
// read from the nodes again.
func Remove(c Config) error {
	err := os.Remove(filepath.Join(c.Dir, c.Vault.Hex(), "index.db"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove index: %w", err)
	}
	return nil
}
