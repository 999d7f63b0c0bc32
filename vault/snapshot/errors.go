package snapshot

import (
	"errors"
	"io/fs"
	"os"
)

// What can go wrong, one for each refusal. Errors of a Sink and of a Source pass
// through, wrapped.
var (
	// ErrTree says that bytes are not a tree object of docs/format.md, section 5.
	ErrTree = errors.New("not a valid tree object")
	// ErrSnapshot says that bytes are not a snapshot of this vault and lane.
	ErrSnapshot = errors.New("not a valid snapshot")
	// ErrNotFound says that a path is not in a snapshot.
	ErrNotFound = errors.New("not found in the snapshot")
	// ErrNotFile says that a node is not a regular file.
	ErrNotFile = errors.New("not a regular file")
	// ErrContent says that a Source or a Sink did not give what a node promises.
	ErrContent = errors.New("content does not match its node")
	// ErrNoSource says that none of the paths to back up could be read.
	ErrNoSource = errors.New("none of the paths could be read")
	// ErrPattern says that a pattern cannot be read.
	ErrPattern = errors.New("bad pattern")
	// ErrFull says that the disk of the target is full: the restore stopped.
	ErrFull = errors.New("disk full")
	// ErrInTheWay says that something of another kind has the name that is to be
	// restored, and that it was left alone.
	ErrInTheWay = errors.New("something else is in the way")
	// ErrVerify says that a restored file, read again, is not what was restored.
	ErrVerify = errors.New("file differs from the snapshot")
)

// What is listed for a source that could not be read as it was.
var (
	errVanished = errors.New("vanished")
	errChanged  = errors.New("changed while it was read")
	errReplaced = errors.New("replaced while it was read")
	errDepth    = errors.New("too many levels of directories")
	errTooLarge = errors.New("too large to be described")
)

// cause strips the operation and the path from an error of package os: the
// listing names the path itself.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	var s *os.SyscallError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	case errors.As(err, &s):
		return s.Err
	}
	return err
}
