package disk

import (
	"io"
	"os"

	"holdfast/internal/atomicfile"
)

// filesystem is everything that a shelf does to the folders of its volume.
type filesystem interface {
	create(path string) (file, error) // new and empty; an error if it is there
	link(from, to string) error       // a second name; fs.ErrExist if to is there
	rename(from, to string) error     // replaces to
	remove(path string) error
	mkdir(path string) error
	syncDir(path string) error // what has been done to the folder survives a crash
}

type file interface {
	io.WriteCloser
	Sync() error
}

type osFiles struct{}

func (osFiles) create(path string) (file, error) { return createShard(path) }
func (osFiles) link(from, to string) error       { return os.Link(from, to) }
func (osFiles) rename(from, to string) error     { return os.Rename(from, to) }
func (osFiles) remove(path string) error         { return os.Remove(path) }
func (osFiles) mkdir(path string) error          { return os.Mkdir(path, 0o700) }
func (osFiles) syncDir(path string) error        { return atomicfile.SyncDir(path) }

func createPlain(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}
