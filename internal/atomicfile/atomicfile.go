package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Temporary files are called ".<name>.<random>.tmp" and stand in the folder of the
// file that they will replace.
const (
	tempPrefix = "."
	tempSuffix = ".tmp"
)

// createPerm is the mode of files made by Create: what this program keeps is for
// its own user.
const createPerm = 0o600

// File is a new content for a path, invisible there until Commit.
type File struct {
	f      *os.File // nil once committed or aborted
	path   string
	behind behind
}

// Create starts a new content for path. The caller ends with Commit, or with
// Abort, which is a no-op after Commit and may be deferred.
func Create(path string) (*File, error) { return create(path, createPerm) }

func create(path string, perm fs.FileMode) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+filepath.Base(path)+".*"+tempSuffix)
	if err != nil {
		return nil, fmt.Errorf("create file: %w", err)
	}
	t := &File{f: f, path: path}
	// CreateTemp makes files of mode 0600.
	if perm != createPerm {
		if err := f.Chmod(perm); err != nil {
			t.Abort()
			return nil, fmt.Errorf("create file: %w", err)
		}
	}
	return t, nil
}

// Write appends p to the new content.
func (t *File) Write(p []byte) (int, error) {
	if t.f == nil {
		return 0, fs.ErrClosed
	}
	n, err := t.f.Write(p)
	t.behind.wrote(t.f, int64(n))
	return n, err
}

// Commit puts the new content in the place of the old one. When it returns nil the
// new content survives a crash. On an error the old content is in place, unless the
// very last step failed, the flush of the folder: then it is either.
func (t *File) Commit() error {
	if t.f == nil {
		return fmt.Errorf("commit file: %w", fs.ErrClosed)
	}
	f := t.f
	t.f = nil
	err := f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), t.path)
	}
	if err != nil {
		// The error that matters is the first one.
		_ = os.Remove(f.Name())
		return fmt.Errorf("commit file: %w", err)
	}
	return SyncDir(filepath.Dir(t.path))
}

// Abort throws the new content away.
func (t *File) Abort() error {
	if t.f == nil {
		return nil
	}
	f := t.f
	t.f = nil
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// WriteFile makes data the whole content of path, which is created with exactly
// the mode perm, or replaced. Its promise is that of Commit.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	t, err := create(path, perm)
	if err != nil {
		return err
	}
	if _, err := t.Write(data); err != nil {
		t.Abort()
		return fmt.Errorf("write file: %w", err)
	}
	return t.Commit()
}

// RemoveTemp removes what interrupted writers have left in a folder. The caller
// knows that no other is at work there.
func RemoveTemp(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("remove temporary files: %w", err)
	}
	var failed error
	for _, e := range entries {
		if !isTemp(e) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("remove temporary file: %w", err))
		}
	}
	return failed
}

func isTemp(e fs.DirEntry) bool {
	return e.Type().IsRegular() && strings.HasPrefix(e.Name(), tempPrefix) && strings.HasSuffix(e.Name(), tempSuffix)
}
