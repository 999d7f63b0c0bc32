package node

import (
	"math"

	"golang.org/x/sys/windows"
)

// freeOnDisk returns the bytes that the file system of path still gives to this
// user; a very large number if it does not say.
func freeOnDisk(path string) int64 {
	free, _ := bytesOf(path)
	return free
}

// sizeOfDisk returns the bytes that the file system of path has in all, in the same way.
func sizeOfDisk(path string) int64 {
	_, all := bytesOf(path)
	return all
}

func bytesOf(path string) (free, all int64) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return math.MaxInt64, math.MaxInt64
	}
	var f, a uint64
	if err := windows.GetDiskFreeSpaceEx(name, &f, &a, nil); err != nil {
		return math.MaxInt64, math.MaxInt64
	}
	return int64(min(f, math.MaxInt64)), int64(min(a, math.MaxInt64))
}
