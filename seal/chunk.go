package seal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// MaxChunk is the largest plaintext of a chunk, and so the largest stored chunk.
const MaxChunk = 4 << 20

// ErrChunk says that bytes are not the chunk they should be: they cannot be
// decoded, have another length, or another ID.
var ErrChunk = errors.New("not the chunk that was asked for")

// Kind tells whose bytes a chunk holds, and so under which key it is named.
type Kind byte

// The kinds of chunks.
const (
	KindData Kind = 0 // a piece of a file
	KindTree Kind = 1 // a tree object
)

// String returns the kind's name.
func (k Kind) String() string { return name(byte(k), "data", "tree") }

// Coding tells how a chunk is stored.
type Coding byte

// The codings of stored chunks.
const (
	Plain Coding = 0 // as it is
	Zstd  Coding = 1 // one zstd frame with its content size
)

// String returns the coding's name.
func (c Coding) String() string { return name(byte(c), "plain", "zstd") }

func name(i byte, names ...string) string {
	if int(i) < len(names) {
		return names[i]
	}
	return "unknown " + strconv.Itoa(int(i))
}

// ChunkID names a chunk within one vault: keyed BLAKE3 of its plaintext.
type ChunkID [32]byte

// String returns the ID in hexadecimal digits.
func (id ChunkID) String() string { return hex.EncodeToString(id[:]) }

// Row says what a chunk is and where in its section it stands.
type Row struct {
	ID     ChunkID
	Offset uint32 // from the start of the section's plaintext
	Stored uint32 // length as it is stored
	Plain  uint32 // length of the plaintext
	Kind   Kind
	Coding Coding
}

// end returns the offset behind the stored chunk.
func (r Row) end() int64 { return int64(r.Offset) + int64(r.Stored) }

// check reports what no chunk can be.
func (r Row) check() error {
	switch {
	case r.Kind > KindTree:
		return fmt.Errorf("%w: kind %d", ErrMalformed, r.Kind)
	case r.Coding > Zstd:
		return fmt.Errorf("%w: coding %d", ErrMalformed, r.Coding)
	case r.Stored == 0 || r.Plain == 0 || r.Stored > MaxChunk || r.Plain > MaxChunk:
		return fmt.Errorf("%w: chunk of %d bytes, %d stored", ErrMalformed, r.Plain, r.Stored)
	case r.Coding == Plain && r.Stored != r.Plain:
		return fmt.Errorf("%w: plain chunk of %d bytes, %d stored", ErrMalformed, r.Plain, r.Stored)
	}
	return nil
}
