//go:build unix

package node

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeOnDisk returns the bytes that the file system of path still gives to this
// user; a very large number if it does not say.
func freeOnDisk(path string) int64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil || fs.Bsize <= 0 {
		return math.MaxInt64
	}
	blocks, size := uint64(fs.Bavail), uint64(fs.Bsize)
	if blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
