package snapshot

import (
	"io/fs"
	"os"
)

const (
	readFlags  = 0
	quietFlags = 0
)

// fillSystem has nothing to add: such a system has no owners by number.
func fillSystem(*Node, fs.FileInfo) identity { return identity{} }

func sparse(fs.FileInfo) bool { return false }

func findExtents(_ *os.File, size int64) ([]int64, error) { return []int64{0, size}, nil }
