package object

import "golang.org/x/sys/unix"

// hugePages asks for huge pages. It is advice.
func hugePages(p []byte) { _ = unix.Madvise(p, unix.MADV_HUGEPAGE) }
