package scenario

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Tree is a folder of files that changes as people's folders do. The same seed makes
// the same changes.
type Tree struct {
	Dir    string
	random *rand.Rand
	made   int
	files  []string // relative to Dir
}

const (
	treeFiles   = 24      // to begin with
	treeLargest = 3 << 20 // bytes of a file
	treeMost    = 60      // files
)

// NewTree makes a tree in dir, which is created.
func NewTree(dir string, seed uint64) (*Tree, error) {
	t := &Tree{Dir: dir, random: rand.New(rand.NewPCG(seed, 7))}
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o755); err != nil {
		return nil, fmt.Errorf("make tree: %w", err)
	}
	for range treeFiles {
		if err := t.add(); err != nil {
			return nil, fmt.Errorf("make tree: %w", err)
		}
	}
	return t, os.Symlink("empty", filepath.Join(dir, "link"))
}

// Change changes some files: new ones, longer ones, others in place, moved, gone.
func (t *Tree) Change() error {
	for range 1 + t.random.IntN(5) {
		if err := t.change(); err != nil {
			return fmt.Errorf("change tree: %w", err)
		}
	}
	return nil
}

func (t *Tree) change() error {
	if len(t.files) == 0 {
		return t.add()
	}
	i := t.random.IntN(len(t.files))
	path := filepath.Join(t.Dir, t.files[i])
	switch kind := t.random.IntN(6); {
	case kind == 0 || len(t.files) > treeMost:
		t.files = append(t.files[:i], t.files[i+1:]...)
		return os.Remove(path)
	case kind == 1:
		to := t.name()
		t.files[i] = to
		return errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(t.Dir, to)), 0o755), os.Rename(path, filepath.Join(t.Dir, to)))
	case kind == 2:
		return appendTo(path, t.bytes(1<<16))
	case kind == 3:
		return writeInto(path, t.bytes(1<<12), t.random)
	}
	return t.add()
}

// name is a new path in one of a few folders.
func (t *Tree) name() string {
	t.made++
	return filepath.Join(fmt.Sprintf("d%d", t.random.IntN(5)), fmt.Sprintf("e%d", t.random.IntN(3)), fmt.Sprintf("f%d", t.made))
}

// bytes are at most n, noise or text.
func (t *Tree) bytes(n int) []byte {
	p := make([]byte, t.random.IntN(n))
	if t.random.IntN(2) == 0 {
		for i := range p {
			p[i] = byte(t.random.Uint32())
		}
		return p
	}
	for i := range p {
		p[i] = "holdfast "[(i+t.made)%9]
	}
	return p
}

func (t *Tree) add() error {
	name := t.name()
	path := filepath.Join(t.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	size := 1 << t.random.IntN(22)
	if err := os.WriteFile(path, t.bytes(min(size, treeLargest)), 0o640); err != nil {
		return err
	}
	t.files = append(t.files, name)
	return nil
}

func appendTo(path string, p []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(p)
	return errors.Join(err, f.Close())
}

// writeInto writes over a part of a file, in place.
func writeInto(path string, p []byte, random *rand.Rand) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(p, random.Int64N(fi.Size()+1))
	}
	return errors.Join(err, f.Close())
}

// CopyTo makes a copy of the tree as it is, with modes, times and links.
func (t *Tree) CopyTo(to string) error {
	if err := copyTree(t.Dir, to); err != nil {
		return fmt.Errorf("copy tree: %w", err)
	}
	return nil
}

func copyTree(from, to string) error {
	type stamp struct {
		path string
		time time.Time
	}
	var folders []stamp // their times come last: filling them changes them
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			folders = append(folders, stamp{at, fi.ModTime()})
			return os.MkdirAll(at, fi.Mode().Perm())
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(target, at))
		}
		return errors.Join(copyFile(path, at, fi.Mode().Perm()), os.Chtimes(at, fi.ModTime(), fi.ModTime()))
	})
	for i := len(folders) - 1; err == nil && i >= 0; i-- {
		err = os.Chtimes(folders[i].path, folders[i].time, folders[i].time)
	}
	return err
}

func copyFile(from, to string, mode fs.FileMode) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
