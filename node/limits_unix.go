//go:build unix

package node

import "golang.org/x/sys/unix"

// leastFiles is how many files and connections a node should be able to have open.
const leastFiles = 4096

// examineLimits looks at what the system allows this process. A node that runs under
// another user, or as a service, may be allowed something else: it is the node that
// answers, if it runs.
func examineLimits() Finding {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return skipped(checkLimits, "%v", err)
	}
	if l.Cur < leastFiles {
		return dubious(checkLimits, "LimitNOFILE=65536 in the unit, or ulimit -n", "%d files may be open at once, below %d", l.Cur, leastFiles)
	}
	return good(checkLimits, "%d files may be open at once", l.Cur)
}
