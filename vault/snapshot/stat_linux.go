package snapshot

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readFlags keep an open from waiting for a pipe that has taken a file's place;
// quietFlags leave the access time alone, which the owner of a file may ask for.
const (
	readFlags  = unix.O_NONBLOCK | unix.O_NOFOLLOW
	quietFlags = unix.O_NOATIME
)

// fillSystem adds owner, status change and device number.
func fillSystem(n *Node, info fs.FileInfo) identity {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}
	}
	n.UID, n.GID = int64(st.Uid), int64(st.Gid)
	n.CTime = TimeOf(time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec)))
	if n.Type == Char || n.Type == Block {
		n.Dev = int64(unix.Major(uint64(st.Rdev)))<<32 | int64(unix.Minor(uint64(st.Rdev)))
	}
	return identity{uint64(st.Dev), st.Ino, uint64(st.Nlink), true}
}

// sparse reports whether a file takes less room than its length.
func sparse(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Blocks)*512 < st.Size
}

// findExtents asks where the data of a file is, up to size. A file without
// holes, or a system that does not say, gives one piece.
func findExtents(f *os.File, size int64) ([]int64, error) {
	var e extents
	for at := int64(0); at < size; {
		data, err := f.Seek(at, unix.SEEK_DATA)
		if cause(err) == unix.ENXIO {
			break
		}
		if err != nil {
			return nil, err
		}
		if data >= size {
			break
		}
		hole, err := f.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return nil, err
		}
		if hole <= data {
			break // it shrank between the two calls
		}
		at = min(hole, size)
		e.add(data, at-data)
	}
	return e.pairs, nil
}
