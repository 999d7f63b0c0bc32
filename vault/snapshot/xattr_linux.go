package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// reach is a path to a name in the folder for calls that know no descriptors. It
// goes through the descriptor, so that it is short and cannot be led elsewhere.
func (f *folder) reach(name string) string {
	if f.self == nil {
		return filepath.Join(f.path, name)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", f.self.Fd(), name)
}

// xattrs reads the extended attributes of anything in the folder, sorted; of a
// symbolic link, its own. A file system without them is not an error.
func (f *folder) xattrs(name string) ([]Xattr, error) {
	path := f.reach(name)
	out, err := pathXattrs(path)
	if errors.Is(err, unix.ENOENT) && f.self != nil {
		return pathXattrs(filepath.Join(f.path, name)) // no /proc here
	}
	return out, err
}

func pathXattrs(path string) ([]Xattr, error) {
	return readXattrs(
		func(p []byte) (int, error) { return unix.Llistxattr(path, p) },
		func(key string, p []byte) (int, error) { return unix.Lgetxattr(path, key, p) })
}

// fileXattrs does the same with an open file or directory.
func fileXattrs(f *os.File) ([]Xattr, error) {
	fd := int(f.Fd())
	return readXattrs(
		func(p []byte) (int, error) { return unix.Flistxattr(fd, p) },
		func(key string, p []byte) (int, error) { return unix.Fgetxattr(fd, key, p) })
}

func readXattrs(list func([]byte) (int, error), get func(string, []byte) (int, error)) ([]Xattr, error) {
	keys, err := readGrowing(list)
	if err == unix.ENOTSUP {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list extended attributes: %w", err)
	}
	var out []Xattr
	total := 0
	for key := range strings.SplitSeq(string(keys), "\x00") {
		if key == "" {
			continue
		}
		value, err := readGrowing(func(p []byte) (int, error) { return get(key, p) })
		if err == unix.ENODATA {
			continue // removed since
		}
		if err != nil {
			return out, fmt.Errorf("read extended attribute %q: %w", key, err)
		}
		if total += len(key) + len(value); total > maxXattrs || len(key) > maxXattrName {
			return out, fmt.Errorf("extended attributes: %w", errTooLarge)
		}
		out = append(out, Xattr{[]byte(key), bytes.Clone(value)})
	}
	slices.SortFunc(out, func(a, b Xattr) int { return bytes.Compare(a.Name, b.Name) })
	return out, nil
}

// readGrowing calls read with larger buffers until the answer fits.
func readGrowing(read func([]byte) (int, error)) ([]byte, error) {
	buf := make([]byte, 256)
	for {
		n, err := read(buf)
		if err == nil {
			return buf[:n], nil
		}
		if err != unix.ERANGE || len(buf) > maxXattrs {
			return nil, err
		}
		buf = make([]byte, 8*len(buf))
	}
}
