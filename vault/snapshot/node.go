package snapshot

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zeebo/blake3"

	"holdfast/internal/wire"
	"holdfast/seal"
)

// Type says what a node is.
type Type string

// The types of docs/format.md, section 5.
const (
	File    Type = "file"
	Dir     Type = "dir"
	Symlink Type = "symlink"
	Fifo    Type = "fifo"
	Socket  Type = "socket"
	Char    Type = "char"
	Block   Type = "block"
)

// Limits on what a node may say.
const (
	maxName      = 4096
	maxTarget    = 64 << 10
	maxOwner     = 256
	maxXattrName = 1024
	maxXattrs    = 1 << 20 // names and values of one node together
	maxMode      = 0o7777
	maxID        = 1<<32 - 1
)

// Time is seconds and nanoseconds since 1970.
type Time [2]int64

// TimeOf converts a time.
func TimeOf(t time.Time) Time { return Time{t.Unix(), int64(t.Nanosecond())} }

// Time converts back, in UTC.
func (t Time) Time() time.Time { return time.Unix(t[0], t[1]).UTC() }

func (t Time) valid() bool { return t[1] >= 0 && t[1] < 1e9 }

// Xattr is one extended attribute. POSIX ACLs and file capabilities are such.
type Xattr struct {
	Name  []byte `cbor:"name"`
	Value []byte `cbor:"value"`
}

// Node is one entry of a directory. Name is one path element, any bytes. The
// owner's numbers are 0 where a system has none. Which fields belong to which
// type is checked by Validate.
type Node struct {
	Name  []byte `cbor:"name"`
	Type  Type   `cbor:"type"`
	Mode  int64  `cbor:"mode"` // permission bits with setuid, setgid and sticky
	MTime Time   `cbor:"mtime"`
	CTime Time   `cbor:"ctime,omitzero"`

	UID   int64  `cbor:"uid,omitempty"`
	GID   int64  `cbor:"gid,omitempty"`
	User  string `cbor:"user,omitempty"`
	Group string `cbor:"group,omitempty"`

	Size    int64   `cbor:"size,omitempty"`
	Content []byte  `cbor:"content,omitempty"` // rows of 36 bytes, see Rows
	List    []byte  `cbor:"list,omitempty"`    // rows of 40 bytes: chunk lists
	Extents []int64 `cbor:"extents,omitempty"` // pairs (offset, length) of data

	Tree   seal.ChunkID `cbor:"tree,omitzero"`
	Target []byte       `cbor:"target,omitempty"`
	Dev    int64        `cbor:"dev,omitempty"` // major·2^32 + minor
	Link   [2]int64     `cbor:"link,omitzero"` // device and inode number
	Xattrs []Xattr      `cbor:"xattrs,omitempty"`
}

// Linked reports whether the node has more than one name.
func (n *Node) Linked() bool { return n.Link != [2]int64{} }

// Hole reports whether a file is one hole: it has a length and no data at all.
func (n *Node) Hole() bool {
	return n.Type == File && n.Size > 0 && len(n.Content) == 0 && len(n.List) == 0
}

// body is a digest of what makes two names of one file equal: everything but
// names, owners and times.
func (n *Node) body() [32]byte {
	m := Node{Type: n.Type, Size: n.Size, Content: n.Content, List: n.List,
		Extents: n.Extents, Target: n.Target, Dev: n.Dev}
	return blake3.Sum256(wire.MustEncode(m))
}

// Validate checks everything that section 5 says about a node; the error is an
// ErrTree.
func (n *Node) Validate() error {
	for _, check := range []func(*Node) string{checkName, checkMeta, checkFields, checkXattrs} {
		if bad := check(n); bad != "" {
			return fmt.Errorf("node %q: %w: %s", clip(n.Name), ErrTree, bad)
		}
	}
	if n.Type == File {
		if err := n.checkContent(); err != nil {
			return fmt.Errorf("node %q: %w", clip(n.Name), err)
		}
	}
	return nil
}

// clip keeps foreign bytes in messages short.
func clip(p []byte) []byte { return p[:min(len(p), 80)] }

func checkName(n *Node) string {
	switch {
	case len(n.Name) == 0 || len(n.Name) > maxName:
		return "name is empty or too long"
	case bytes.ContainsAny(n.Name, "/\x00"):
		return "name is not one path element"
	case string(n.Name) == "." || string(n.Name) == "..":
		return "name points elsewhere"
	}
	return ""
}

func checkMeta(n *Node) string {
	switch {
	case n.Mode < 0 || n.Mode > maxMode:
		return "mode has other bits than permissions"
	case !n.MTime.valid() || !n.CTime.valid():
		return "nanoseconds out of range"
	case n.UID < 0 || n.UID > maxID || n.GID < 0 || n.GID > maxID:
		return "owner out of range"
	case len(n.User) > maxOwner || len(n.Group) > maxOwner:
		return "owner's name too long"
	case !utf8.ValidString(n.User) || !utf8.ValidString(n.Group) || strings.ContainsRune(n.User+n.Group, 0):
		return "owner's name is not text"
	case n.Dev < 0:
		return "device number out of range"
	}
	return ""
}

// checkFields: each type has its own fields and no others.
func checkFields(n *Node) string {
	switch n.Type {
	case File, Dir, Symlink, Fifo, Socket, Char, Block:
	default:
		return "unknown type"
	}
	hasContent := n.Size != 0 || len(n.Content) > 0 || len(n.List) > 0 || len(n.Extents) > 0
	switch {
	case hasContent && n.Type != File:
		return "content on something that is not a file"
	case (n.Tree != seal.ChunkID{}) != (n.Type == Dir):
		return "a directory without its tree, or a tree without a directory"
	case (len(n.Target) > 0) != (n.Type == Symlink):
		return "a symbolic link without its target, or a target without a link"
	case len(n.Target) > maxTarget || bytes.IndexByte(n.Target, 0) >= 0:
		return "target of a symbolic link too long or with a zero byte"
	case n.Dev != 0 && n.Type != Char && n.Type != Block:
		return "device number on something that is not a device"
	case n.Linked() && n.Type == Dir:
		return "hard link to a directory"
	}
	return ""
}

func checkXattrs(n *Node) string {
	total := 0
	for i, x := range n.Xattrs {
		total += len(x.Name) + len(x.Value)
		switch {
		case len(x.Name) == 0 || len(x.Name) > maxXattrName || bytes.IndexByte(x.Name, 0) >= 0:
			return "name of an extended attribute"
		case total > maxXattrs:
			return "extended attributes too large"
		case i > 0 && bytes.Compare(n.Xattrs[i-1].Name, x.Name) >= 0:
			return "extended attributes out of order or twice"
		}
	}
	return ""
}
