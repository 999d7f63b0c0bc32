package scenario

import (
	"testing"

	"golang.org/x/sys/unix"
)

// mountSmall mounts a disk of 1 MiB on a folder, where this user may, and returns
// what makes it grow.
func mountSmall(t *testing.T, dir string) (grow func() error) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("a small disk cannot be mounted here:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return func() error { return unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=256m") }
}

// bindMount mounts a folder over another one, again and again.
func bindMount(t *testing.T, from, to string) (mount, unmount func() error) {
	t.Helper()
	mount = func() error { return unix.Mount(from, to, "", unix.MS_BIND, "") }
	unmount = func() error { return unix.Unmount(to, unix.MNT_DETACH) }
	if err := mount(); err != nil {
		t.Skip("no folder can be mounted here:", err)
	}
	t.Cleanup(func() { unmount() })
	if err := unmount(); err != nil {
		t.Fatal(err)
	}
	return mount, unmount
}
