//go:build unix

package disk

import (
	"errors"
	"syscall"
)

// outOfSpace reports whether the operating system has refused for lack of space.
func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
