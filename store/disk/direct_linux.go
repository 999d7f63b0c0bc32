package disk

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// createShard makes a new file that is written past the page cache where it is large
// and the file system allows that. A shard is written once, in large pieces, flushed,
// and not read soon: through the page cache it would cost a copy of every byte into
// fresh memory, and push out what others need.
func createShard(path string) (file, error) {
	f, err := createPlain(path)
	if err != nil {
		return nil, err
	}
	return &directFile{File: f}, nil
}

// directFrom is how much the first write has to bring: a small shard comes in one.
const directFrom = 256 << 10

// directFile takes whole blocks past the page cache, from aligned memory, as long as
// one full buffer comes after another. What is not so goes the ordinary way, and
// everything behind it: until then all offsets are aligned.
type directFile struct {
	*os.File
	begun, direct bool
}

func (f *directFile) Write(p []byte) (int, error) {
	if !f.begun {
		f.begun = true
		f.direct = len(p) >= directFrom && f.setDirect(true) == nil
	}
	if !f.direct {
		return f.File.Write(p)
	}
	whole := 0
	if aligned(p) {
		whole = len(p) / blockSize * blockSize
	}
	n, err := f.writeBlocks(p[:whole])
	if err != nil || n == len(p) {
		return n, err
	}
	f.direct = false
	if err := f.setDirect(false); err != nil {
		return n, err
	}
	m, err := f.File.Write(p[n:])
	return n + m, err
}

// writeBlocks writes what it can; less than all without an error means that the file
// system does not take it this way.
func (f *directFile) writeBlocks(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.File.Write(p)
	if n == 0 && errors.Is(err, syscall.EINVAL) {
		return 0, nil
	}
	return n, err
}

func (f *directFile) setDirect(on bool) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		flags, e := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if failed = e; e != nil {
			return
		}
		if flags &^= unix.O_DIRECT; on {
			flags |= unix.O_DIRECT
		}
		_, failed = unix.FcntlInt(fd, unix.F_SETFL, flags)
	})
	return errors.Join(err, failed)
}
