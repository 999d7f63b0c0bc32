package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// begin has n bytes at off written to the disk, without waiting for it. To wait for it
// here would take an error away from the flush at the end: the system tells of it once.
func begin(f *os.File, off, n int64) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), off, n, unix.SYNC_FILE_RANGE_WRITE) })
	}
}
