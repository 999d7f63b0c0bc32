package snapshot

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// handle is a thing whose metadata is to be set. It stands for the thing itself
// and not for its name, so that nobody can slip another thing under it.
type handle struct {
	in   *folder
	name string
	file *os.File // a file or directory; or with bare set, only a reference
	bare bool     // opened with O_PATH: reachable through /proc alone
}

// openHandle refers to something by name, without following or opening it.
func openHandle(in *folder, name string, t Type) (handle, error) {
	fd, err := unix.Openat(int(in.self.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return handle{}, err
	}
	h := handle{in: in, name: name, file: os.NewFile(uintptr(fd), name), bare: true}
	info, err := h.file.Stat()
	if err == nil {
		if now, ok := typeOf(info.Mode()); !ok || now != t {
			err = errReplaced
		}
	}
	if err != nil {
		h.close()
		return handle{}, err
	}
	return h, nil
}

func (h handle) close() { h.file.Close() }

func (h handle) fd() int { return int(h.file.Fd()) }

func (h handle) proc() string { return fmt.Sprintf("/proc/self/fd/%d", h.fd()) }

// setMeta sets owner, extended attributes, mode and times, in this order: a change
// of owner clears setuid bits and capabilities, and a read-only mode forbids
// attributes. Everything is tried; the error names what failed.
func (r *restoring) setMeta(h handle, n *Node) error {
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("set %s: %w", what, err))
		}
	}
	owned := n.UID == int64(os.Geteuid()) && n.GID == int64(os.Getegid())
	if r.asRoot {
		err := unix.Fchownat(h.fd(), "", int(n.UID), int(n.GID), unix.AT_EMPTY_PATH)
		owned = err == nil
		note("owner", err)
	}
	for _, x := range n.Xattrs {
		if name := string(x.Name); r.asRoot || !privileged(name) {
			note(fmt.Sprintf("extended attribute %q", name), h.setXattr(name, x.Value))
		}
	}
	if n.Type != Symlink {
		mode := n.Mode
		if !owned && n.Type != Dir {
			mode &^= unix.S_ISUID | unix.S_ISGID // they would mean another owner
		}
		note("mode", h.chmod(uint32(mode)))
	}
	note("time", h.setTime(n.MTime))
	return errors.Join(errs...)
}

// privileged attributes are for root alone.
func privileged(name string) bool {
	return strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "trusted.")
}

func (h handle) setXattr(name string, value []byte) error {
	if h.bare {
		return unix.Setxattr(h.proc(), name, value, 0)
	}
	return unix.Fsetxattr(h.fd(), name, value, 0)
}

func (h handle) chmod(mode uint32) error {
	if !h.bare {
		return unix.Fchmod(h.fd(), mode)
	}
	err := unix.Fchmodat(h.fd(), "", mode, unix.AT_EMPTY_PATH)
	if err != nil { // not before Linux 6.6
		err = unix.Chmod(h.proc(), mode)
	}
	return err
}

// setTime goes by name, and never through a link: older kernels cannot do it by
// descriptor for all types.
func (h handle) setTime(t Time) error {
	mtime, err := unix.TimeToTimespec(t.Time())
	if err != nil {
		return err
	}
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}
	return unix.UtimesNanoAt(int(h.in.self.Fd()), h.name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// makeSpecial makes a device, a pipe or a socket.
func makeSpecial(in *folder, name string, n *Node) error {
	kinds := map[Type]uint32{Fifo: unix.S_IFIFO, Socket: unix.S_IFSOCK, Char: unix.S_IFCHR, Block: unix.S_IFBLK}
	dev := unix.Mkdev(uint32(n.Dev>>32), uint32(n.Dev&maxID))
	err := unix.Mknodat(int(in.self.Fd()), name, kinds[n.Type]|0o600, int(dev))
	if err != nil {
		return fmt.Errorf("make %s: %w", n.Type, err)
	}
	return nil
}

// dropCache makes what is read next come from the disk, as far as it has been
// written there.
func dropCache(f *os.File) {
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// syncAll writes back everything on the file system of that folder.
func syncAll(dir *os.File) error {
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("write back the target: %w", err)
	}
	return nil
}
