//go:build unix

package node

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeOnDisk returns the bytes that the file system of path still gives to this
// user; a very large number if it does not say.
func freeOnDisk(path string) int64 {
	return blocksOf(path, func(fs unix.Statfs_t) uint64 { return uint64(fs.Bavail) })
}

// sizeOfDisk returns the bytes that the file system of path has in all, in the same way.
func sizeOfDisk(path string) int64 {
	return blocksOf(path, func(fs unix.Statfs_t) uint64 { return uint64(fs.Blocks) })
}

func blocksOf(path string, count func(unix.Statfs_t) uint64) int64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil || fs.Bsize <= 0 {
		return math.MaxInt64
	}
	blocks, size := count(fs), uint64(fs.Bsize)
	if blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
