package node

import (
	"math"

	"golang.org/x/sys/windows"
)

// freeOnDisk returns the bytes that the file system of path still gives to this
// user; a very large number if it does not say.
func freeOnDisk(path string) int64 {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return math.MaxInt64
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil || free > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(free)
}
