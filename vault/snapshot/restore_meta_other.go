//go:build !linux

package snapshot

import (
	"errors"
	"fmt"
	"os"
)

// handle is a thing whose metadata is to be set.
type handle struct {
	in   *folder
	name string
	file *os.File // nil if it is known by name alone
}

func openHandle(in *folder, name string, _ Type) (handle, error) {
	return handle{in: in, name: name}, nil
}

func (h handle) close() {}

// setMeta sets mode and time, and as root the owner. What else a node says is kept
// on Linux alone.
func (r *restoring) setMeta(h handle, n *Node) error {
	var owner, mode, time error
	owned := n.UID == int64(os.Geteuid()) && n.GID == int64(os.Getegid())
	if r.asRoot {
		owner = h.in.root.Lchown(h.name, int(n.UID), int(n.GID))
		owned = owner == nil
	}
	if n.Type != Symlink {
		bits := n.Mode
		if !owned && n.Type != Dir {
			bits &^= 0o6000
		}
		mode = h.in.root.Chmod(h.name, fileMode(bits))
		time = h.in.root.Chtimes(h.name, n.MTime.Time(), n.MTime.Time())
	}
	return errors.Join(cause(owner), cause(mode), cause(time))
}

func makeSpecial(_ *folder, _ string, n *Node) error {
	return fmt.Errorf("make %s: %w", n.Type, errors.ErrUnsupported)
}

func dropCache(*os.File) {}

func syncAll(*os.File) error { return nil }
