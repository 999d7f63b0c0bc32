//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package disk

import (
	"os"
	"syscall"
)

// unlock gives the lock of a file free whose mapping cannot be removed: the mapping
// would hold the lock beyond the file's closing.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
