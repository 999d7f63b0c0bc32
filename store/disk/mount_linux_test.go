package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/store"
	"holdfast/store/storetest"
)

// In a mount namespace of its own, where it may mount: a volume on a file system
// that really is full, and one that really is unmounted.
func TestRealMounts(t *testing.T) {
	said := runChild(t, "mounts", t.TempDir(), func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
	})
	switch {
	case strings.HasPrefix(said, "cannot"):
		t.Skip(said)
	case said != "ok\n":
		t.Error(said)
	}
}

func mountsChild() {
	dir := os.Getenv(childDir)
	if err := mount(dir, "size=4m"); err != nil {
		fmt.Println("cannot mount:", err)
		return
	}
	if err := errors.Join(fillVolume(dir), unmountVolume(dir)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ok")
}

func mount(dir, options string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, options) }

func mountedVolume(dir string) (*Disk, error) {
	if err := Create(filepath.Join(dir, "volume"), testMarker(testID)); err != nil {
		return nil, err
	}
	return Open(context.Background(), Config{Dir: filepath.Join(dir, "volume"), Capacity: 1 << 30, Volume: testID})
}

// fillVolume puts shards on a volume whose capacity is beyond what the disk has.
func fillVolume(dir string) error {
	ctx := context.Background()
	d, err := mountedVolume(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	var there []storetest.Segment
	for {
		s, err := storetest.MakeSegment(code, 600_000, uint64(len(there)))
		if err != nil {
			return err
		}
		if err = s.Put(ctx, d, v, 1); err == nil {
			there = append(there, s)
			continue
		}
		if !errors.Is(err, store.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("put on a full disk: %w", err)
		}
		if _, err := d.Stat(ctx, s.Key(v, 1)); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("stat after a put on a full disk: %w", err)
		}
		break
	}
	if len(there) < 5 || len(there) > 13 {
		return fmt.Errorf("%d shards fit", len(there))
	}
	for _, s := range there {
		if p, err := storetest.ReadAll(ctx, d, s.Key(v, 1)); err != nil || !bytes.Equal(p, s.Rows[1]) {
			return fmt.Errorf("read on a full disk: %w", err)
		}
	}
	// Room can be made.
	if err := errors.Join(d.Remove(ctx, there[0].Key(v, 1)), d.Remove(ctx, there[1].Key(v, 1)), d.flush()); err != nil {
		return err
	}
	return there[0].Put(ctx, d, v, 1)
}

// unmountVolume mounts other file systems over a volume that is open.
func unmountVolume(dir string) error {
	ctx := context.Background()
	volume := filepath.Join(dir, "volume")
	if err := os.RemoveAll(volume); err != nil {
		return err
	}
	d, err := mountedVolume(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	s, err := storetest.MakeSegment(code, 1000, 1)
	if err != nil {
		return err
	}
	marker, err := os.ReadFile(d.at.marker())
	if err != nil {
		return err
	}
	if err := errors.Join(s.Put(ctx, d, v, 0), mount(volume, "size=1m")); err != nil {
		return err
	}
	if err := s.Put(ctx, d, v, 1); !errors.Is(err, store.ErrPaused) {
		return fmt.Errorf("put with another disk in the place: %w", err)
	}
	// A copy of the marker on another device is not the volume either.
	if err := os.WriteFile(d.at.marker(), marker, 0o600); err != nil {
		return err
	}
	if err := d.Check(ctx); !errors.Is(err, store.ErrPaused) {
		return fmt.Errorf("check with a copied marker: %w", err)
	}
	if entries, err := os.ReadDir(volume); err != nil || len(entries) != 1 {
		return fmt.Errorf("written to another disk: %v, %w", entries, err)
	}
	if err := syscall.Unmount(volume, 0); err != nil {
		return err
	}
	return errors.Join(d.Check(ctx), s.Put(ctx, d, v, 1))
}
