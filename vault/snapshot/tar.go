package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"

	"holdfast/seal"
)

// Tar writes what is at a path as a tar archive (PAX): a directory's content with
// names relative to it, or one file under its own name. Owners, times to the
// nanosecond, extended attributes, links and devices are kept; sockets are left
// out, and holes are written as zeros, because tar cannot do better.
func Tar(ctx context.Context, src Source, root seal.ChunkID, from string, w io.Writer) error {
	n, err := Find(ctx, src, root, from)
	if err != nil {
		return err
	}
	t := &tarWriter{ctx: ctx, src: src, w: tar.NewWriter(w), links: map[[2]int64]tarLink{}}
	if n.Type == Dir {
		err = walkTree(ctx, src, n.Tree, "", func(p string, n *Node) error { return t.add(p[1:], n) })
	} else {
		err = t.add(path.Base(from), n)
	}
	if err == nil {
		err = t.w.Close()
	}
	if err != nil {
		return fmt.Errorf("write tar of %q: %w", from, err)
	}
	return nil
}

type tarWriter struct {
	ctx   context.Context
	src   Source
	w     *tar.Writer
	links map[[2]int64]tarLink
}

// tarLink is the first name of a file with several.
type tarLink struct {
	name string
	body [32]byte
}

func (t *tarWriter) add(name string, n *Node) error {
	h := tarHeader(name, n)
	if h == nil {
		return nil
	}
	if first, ok := t.linked(name, n); ok {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
	}
	if err := t.w.WriteHeader(h); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	if err := copyContent(t.ctx, t.src, n, t.w); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	return nil
}

// linked returns the first name of a file, if that was written already.
func (t *tarWriter) linked(name string, n *Node) (string, bool) {
	if !n.Linked() {
		return "", false
	}
	body := n.body()
	if first, ok := t.links[n.Link]; ok {
		return first.name, first.body == body
	}
	t.links[n.Link] = tarLink{name, body}
	return "", false
}

// tarHeader describes a node; nil for what tar has no word for.
func tarHeader(name string, n *Node) *tar.Header {
	h := &tar.Header{
		Name: name, Mode: n.Mode, ModTime: n.MTime.Time(), Format: tar.FormatPAX,
		Uid: int(n.UID), Gid: int(n.GID), Uname: n.User, Gname: n.Group,
	}
	switch n.Type {
	case File:
		h.Typeflag, h.Size = tar.TypeReg, n.Size
	case Dir:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, string(n.Target)
	case Fifo:
		h.Typeflag = tar.TypeFifo
	case Char, Block:
		h.Typeflag = tar.TypeChar
		if n.Type == Block {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = n.Dev>>32, n.Dev&maxID
	default:
		return nil
	}
	for _, x := range n.Xattrs {
		if bytes.IndexByte(x.Name, '=') >= 0 {
			continue // such a name cannot stand in a PAX record
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+string(x.Name)] = string(x.Value)
	}
	return h
}
