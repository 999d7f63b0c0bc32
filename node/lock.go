package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrRunning says that a node already runs in a folder, or is just being made there.
var ErrRunning = errors.New("a node runs in this folder")

const lockName = "run/lock"

// lockFolder makes this process the only one that runs or changes the node in dir.
// The operating system gives the lock back when the process ends, however it ends.
func lockFolder(dir string) (unlock func() error, err error) {
	path := filepath.Join(dir, lockName)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock node: %w", err)
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock node: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrRunning, dir)
	}
	return l.Close, nil
}
