package snapshot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
)

// folder is a directory of the file system, opened once and then used relative to
// its descriptor: what it reaches lies directly in it whoever renames what, and
// the length of paths does not matter. Several holders may share it; the last one
// that lets go closes it.
//
// A folder without a root reaches its names by path: the parent of a path that was
// given may be searched without being readable.
type folder struct {
	path string
	root *os.Root
	self *os.File // the same directory, for calls that need a descriptor
	refs atomic.Int32
}

// folderByPath is the directory of a path that was given; nothing is opened.
func folderByPath(path string) *folder {
	f := &folder{path: path}
	f.refs.Store(1)
	return f
}

// openFolder opens a directory by path, following symbolic links.
func openFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return newFolder(root, path)
}

func newFolder(root *os.Root, path string) (*folder, error) {
	self, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	f := &folder{path: path, root: root, self: self}
	f.refs.Store(1)
	return f, nil
}

// sub opens the directory of that name, which info described a moment ago. If a
// symbolic link or another directory has taken its place, the error is
// errReplaced.
func (f *folder) sub(name string, info fs.FileInfo) (*folder, error) {
	path := filepath.Join(f.path, name)
	open := os.OpenRoot
	at := path
	if f.root != nil {
		open, at = f.root.OpenRoot, name
	}
	root, err := open(at)
	if err != nil {
		return nil, err
	}
	d, err := newFolder(root, path)
	if err != nil {
		return nil, err
	}
	now, err := d.self.Stat()
	if err == nil && !os.SameFile(info, now) {
		err = errReplaced
	}
	if err != nil {
		d.release()
		return nil, err
	}
	return d, nil
}

func (f *folder) retain() *folder {
	f.refs.Add(1)
	return f
}

func (f *folder) release() {
	if f.refs.Add(-1) == 0 && f.root != nil {
		f.self.Close()
		f.root.Close()
	}
}

func (f *folder) lstat(name string) (fs.FileInfo, error) {
	if f.root == nil {
		return os.Lstat(filepath.Join(f.path, name))
	}
	return f.root.Lstat(name)
}

func (f *folder) readlink(name string) (string, error) {
	if f.root == nil {
		return os.Readlink(filepath.Join(f.path, name))
	}
	return f.root.Readlink(name)
}

// open opens a regular file for reading. It never waits for the other end of a
// pipe, and leaves the access time alone where the system allows that.
func (f *folder) open(name string) (*os.File, error) {
	file, err := f.openFlags(name, os.O_RDONLY|readFlags|quietFlags)
	if err != nil && quietFlags != 0 && os.IsPermission(err) {
		file, err = f.openFlags(name, os.O_RDONLY|readFlags)
	}
	return file, err
}

func (f *folder) openFlags(name string, flags int) (*os.File, error) {
	if f.root == nil {
		return os.OpenFile(filepath.Join(f.path, name), flags, 0)
	}
	return f.root.OpenFile(name, flags, 0)
}

// names lists the directory, sorted bytewise. Names that were read before an
// error are returned with it.
func (f *folder) names() ([]string, error) {
	if f.self == nil {
		return nil, fmt.Errorf("list %q: not opened", f.path)
	}
	names, err := f.self.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}
