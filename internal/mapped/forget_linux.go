package mapped

import "golang.org/x/sys/unix"

// forget unmaps the pages of a mapping that is shared with a file: the file is the
// truth, so nothing is lost.
func forget(mapping []byte) { _ = unix.Madvise(mapping, unix.MADV_DONTNEED) }
