package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"holdfast/internal/atomicfile"
)

// replaceKind writes a text that another command reads, and that is no secret. What is
// there already is replaced only by its own kind, which the first line names: the next
// certificate takes the place of the old one, and no key is lost to a slip of the hand.
func replaceKind(path string, text []byte) error {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return atomicfile.WriteFile(path, text, 0o644)
	case err != nil:
		return usage(err)
	}
	defer file.Close()
	kind := text[:bytes.IndexByte(text, '\n')+1]
	old := make([]byte, len(kind))
	n, err := io.ReadFull(file, old)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return usage(err)
	}
	if !bytes.Equal(old[:n], kind) {
		return usagef("%s is already there and is something else; name another file", path)
	}
	return atomicfile.WriteFile(path, text, 0o644)
}
