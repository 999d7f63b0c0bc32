package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"holdfast/seal"
)

// SkipDir, returned by the function given to Walk, leaves out what is in a
// directory.
var SkipDir = fs.SkipDir

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// Walk calls f for the node at path and, if it is a directory, for everything in
// it, parents first and in the order of names; paths begin with a slash. For the
// root itself nothing is called. The node is valid during the call. An error of f
// ends the walk and is returned, except SkipDir.
func Walk(ctx context.Context, src Source, root seal.ChunkID, path string, f func(path string, n *Node) error) error {
	n, err := Find(ctx, src, root, path)
	if err != nil {
		return err
	}
	at := join(path)
	if at != "" {
		err := f(at, n)
		if errors.Is(err, SkipDir) {
			return nil
		}
		if err != nil || n.Type != Dir {
			return err
		}
	}
	return walkTree(ctx, src, n.Tree, at, f)
}

// join makes a path canonical: a slash before each element, nothing for the root.
func join(path string) string {
	out := ""
	for _, e := range split(path) {
		if e != "" && e != "." {
			out += "/" + e
		}
	}
	return out
}

func walkTree(ctx context.Context, src Source, tree seal.ChunkID, path string, f func(string, *Node) error) error {
	return walkDir(ctx, src, tree, walkState{path, 0, f})
}

type walkState struct {
	path  string
	level int
	f     func(path string, n *Node) error
}

func walkDir(ctx context.Context, src Source, tree seal.ChunkID, s walkState) error {
	d, err := newDirReader(ctx, src, tree, s.level)
	if err != nil {
		return fmt.Errorf("walk %q: %w", s.path, err)
	}
	for {
		n, err := d.read(ctx)
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("walk %q: %w", s.path, err)
		}
		path := s.path + "/" + string(n.Name)
		tree, isDir := n.Tree, n.Type == Dir
		err = s.f(path, n)
		if errors.Is(err, SkipDir) {
			if !isDir {
				return nil // as with fs.WalkDir: the rest of the directory
			}
			continue
		}
		if err != nil {
			return err
		}
		if isDir {
			d.rest()
			if err := walkDir(ctx, src, tree, walkState{path, s.level + 1, s.f}); err != nil {
				return err
			}
		}
	}
}

// Find returns the node at a path of a snapshot; symbolic links are not followed.
// The root is a directory without a name. The error is ErrNotFound if there is no
// such node.
func Find(ctx context.Context, src Source, root seal.ChunkID, path string) (*Node, error) {
	n := &Node{Type: Dir, Mode: 0o755, Tree: root}
	level := 0
	for _, e := range split(path) {
		if e == "" || e == "." {
			continue
		}
		if n.Type != Dir {
			return nil, fmt.Errorf("find %q: %w", path, ErrNotFound)
		}
		next, err := lookIn(ctx, src, n.Tree, e)
		if err != nil {
			return nil, fmt.Errorf("find %q: %w", path, err)
		}
		n = next
		if level++; level > maxDepth {
			return nil, fmt.Errorf("find %q: %w", path, ErrNotFound)
		}
	}
	return n, nil
}

func lookIn(ctx context.Context, src Source, tree seal.ChunkID, name string) (*Node, error) {
	d, err := newDirReader(ctx, src, tree, 0)
	if err != nil {
		return nil, err
	}
	for {
		n, err := d.read(ctx)
		if isEnd(err) || err == nil && string(n.Name) > name {
			return nil, ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		if string(n.Name) == name {
			return n, nil
		}
	}
}
