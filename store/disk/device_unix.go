//go:build unix

package disk

import (
	"io/fs"
	"syscall"
)

// device is the number of the device that a file is on.
func device(fi fs.FileInfo) uint64 {
	if s, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Dev)
	}
	return 0
}
