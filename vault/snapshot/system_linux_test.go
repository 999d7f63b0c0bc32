package snapshot

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const keepsLinkTimes = true

// probe finds out what this machine lets a test do, and says what it does not.
func probe(t testing.TB) abilities {
	t.Helper()
	dir := t.TempDir()
	var can abilities
	if err := unix.Mknod(filepath.Join(dir, "dev"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err != nil {
		t.Logf("without devices: mknod: %v", err)
	} else {
		can.devices = true
	}
	if err := unix.Setxattr(dir, "user.probe", []byte("1"), 0); err != nil {
		t.Logf("without extended attributes: setxattr: %v", err)
	} else {
		can.xattrs = true
	}
	return can
}

func (m *treeMaker) special(path string) {
	kinds := []uint32{unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK}
	n := len(kinds)
	if !m.can.devices {
		n = 2
	}
	dev := unix.Mkdev(uint32(m.rng.IntN(4000)), uint32(m.rng.IntN(1<<20)))
	m.check(unix.Mknod(path, kinds[m.rng.IntN(n)]|0o600, int(dev)))
}

func (m *treeMaker) own(path string) {
	if os.Geteuid() == 0 {
		m.check(os.Lchown(path, 7000*m.rng.IntN(5), 9000*m.rng.IntN(5)))
	}
}

func (m *treeMaker) xattrs(path string) {
	info, err := os.Lstat(path)
	m.check(err)
	if !m.can.xattrs || !info.IsDir() && !info.Mode().IsRegular() {
		return
	}
	for range m.rng.IntN(3) {
		name := "user." + m.pick("a", "b", "ü", "long name")
		m.check(unix.Setxattr(path, name, m.bytes(m.rng.IntN(300)), 0))
	}
}

func linkKey(info os.FileInfo) string {
	st := info.Sys().(*syscall.Stat_t)
	if info.IsDir() || st.Nlink < 2 {
		return ""
	}
	return fmt.Sprint(st.Ino)
}

func blocks(t testing.TB, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}
