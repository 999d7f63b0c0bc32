//go:build unix

package snapshot

import (
	"errors"
	"syscall"
)

// isFull reports whether a disk, or somebody's share of it, is full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
