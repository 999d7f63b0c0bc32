package snapshot

import (
	"io/fs"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// identity is what makes two names one file, and two directories one file system.
// Known is false where the system does not say.
type identity struct {
	dev, ino, links uint64
	known           bool
}

// typeOf returns the type of a file; false for kinds that have no node.
func typeOf(m fs.FileMode) (Type, bool) {
	switch m.Type() {
	case 0:
		return File, true
	case fs.ModeDir:
		return Dir, true
	case fs.ModeSymlink:
		return Symlink, true
	case fs.ModeNamedPipe:
		return Fifo, true
	case fs.ModeSocket:
		return Socket, true
	case fs.ModeDevice | fs.ModeCharDevice:
		return Char, true
	case fs.ModeDevice:
		return Block, true
	}
	return "", false
}

// modeBits converts Go's mode into permission bits with setuid, setgid, sticky.
func modeBits(m fs.FileMode) int64 {
	bits := int64(m.Perm())
	for _, b := range specialBits {
		if m&b.mode != 0 {
			bits |= b.bit
		}
	}
	return bits
}

// fileMode converts back.
func fileMode(bits int64) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	for _, b := range specialBits {
		if bits&b.bit != 0 {
			m |= b.mode
		}
	}
	return m
}

var specialBits = [...]struct {
	mode fs.FileMode
	bit  int64
}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}}

// owners finds the names of users and groups, each once. It is safe for
// concurrent use.
type owners struct {
	mu            sync.Mutex
	users, groups map[int64]string
}

func newOwners() *owners {
	return &owners{users: map[int64]string{}, groups: map[int64]string{}}
}

func (o *owners) fill(n *Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n.User = lookup(o.users, n.UID, func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
	n.Group = lookup(o.groups, n.GID, func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

func lookup(known map[int64]string, id int64, find func(string) (string, error)) string {
	name, ok := known[id]
	if !ok {
		name, _ = find(strconv.FormatInt(id, 10))
		if len(name) > maxOwner || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			name = ""
		}
		known[id] = name
	}
	return name
}

// meta describes a file by what the system says of it: everything but content,
// link target, tree and extended attributes.
func (o *owners) meta(name string, info fs.FileInfo) (Node, identity, bool) {
	t, ok := typeOf(info.Mode())
	if !ok {
		return Node{}, identity{}, false
	}
	n := Node{Name: []byte(name), Type: t, Mode: modeBits(info.Mode()), MTime: TimeOf(info.ModTime())}
	if t == File {
		n.Size = max(info.Size(), 0)
	}
	id := fillSystem(&n, info)
	if id.known {
		o.fill(&n)
	}
	if id.known && id.links > 1 && t != Dir {
		n.Link = [2]int64{int64(id.dev), int64(id.ino)}
	}
	return n, id, true
}
