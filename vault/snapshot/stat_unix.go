//go:build unix && !linux

package snapshot

import (
	"io/fs"
	"os"
	"syscall"
)

const (
	readFlags  = syscall.O_NONBLOCK | syscall.O_NOFOLLOW
	quietFlags = 0
)

// fillSystem adds the owner. Status change and device numbers are not portable
// and are left out here.
func fillSystem(n *Node, info fs.FileInfo) identity {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}
	}
	n.UID, n.GID = int64(st.Uid), int64(st.Gid)
	return identity{uint64(st.Dev), uint64(st.Ino), uint64(st.Nlink), true}
}

func sparse(fs.FileInfo) bool { return false }

func findExtents(_ *os.File, size int64) ([]int64, error) { return []int64{0, size}, nil }
