package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrDiffers says that two trees are not the same.
var ErrDiffers = errors.New("the trees differ")

// Compared is what Compare looked at.
type Compared struct {
	Files int
	Bytes int64
}

// Compare walks the tree want and fails at the first path that got does not have in
// the same form: type, permissions, time of change, link target, and every byte. It
// fails too if got has a path that want lacks.
func Compare(ctx context.Context, want, got string) (Compared, error) {
	var c Compared
	err := filepath.WalkDir(want, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(want, path)
		if err != nil {
			return err
		}
		return c.path(path, filepath.Join(got, rel), rel)
	})
	if err != nil {
		return c, err
	}
	return c, noMore(ctx, want, got)
}

func (c *Compared) path(want, got, rel string) error {
	a, err := os.Lstat(want)
	if err != nil {
		return err
	}
	b, err := os.Lstat(got)
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDiffers, rel, err)
	}
	switch {
	case a.Mode() != b.Mode():
		return fmt.Errorf("%w: %s: mode %v, not %v", ErrDiffers, rel, b.Mode(), a.Mode())
	case rel != "." && a.Mode()&fs.ModeSymlink == 0 && !a.ModTime().Equal(b.ModTime()):
		return fmt.Errorf("%w: %s: changed at %v, not %v", ErrDiffers, rel, b.ModTime(), a.ModTime())
	case a.Mode()&fs.ModeSymlink != 0:
		return sameTarget(want, got, rel)
	case a.Mode().IsRegular():
		c.Files++
		c.Bytes += a.Size()
		return sameBytes(want, got, rel)
	}
	return nil
}

func sameTarget(want, got, rel string) error {
	a, err := os.Readlink(want)
	if err != nil {
		return err
	}
	if b, err := os.Readlink(got); err != nil || a != b {
		return fmt.Errorf("%w: %s: points to %q, not %q", ErrDiffers, rel, b, a)
	}
	return nil
}

func sameBytes(want, got, rel string) error {
	a, err := os.Open(want)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(got)
	if err != nil {
		return err
	}
	defer b.Close()
	const size = 256 << 10
	p, q := make([]byte, size), make([]byte, size)
	for {
		n, errA := io.ReadFull(a, p)
		m, errB := io.ReadFull(b, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return fmt.Errorf("%w: %s: content", ErrDiffers, rel)
		}
		if errA != nil || errB != nil {
			return ended(errA, errB)
		}
	}
}

// ended returns nil if both files came to their end.
func ended(errs ...error) error {
	for _, err := range errs {
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
	}
	return nil
}

func noMore(ctx context.Context, want, got string) error {
	return filepath.WalkDir(got, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(got, path)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Join(want, rel)); err != nil {
			return fmt.Errorf("%w: %s is too many", ErrDiffers, rel)
		}
		return nil
	})
}
