package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"holdfast/internal/ident"

	"lukechampine.com/blake3/bao"
)

// Slice is the reader's side of Shard.Slice: a range of a payload whose CID and
// size are known from a descriptor.
type Slice struct {
	Shard  ident.CID // of the payload
	Size   int64     // of the payload, from the descriptor
	Off, N int64     // the range; N > 0
}

// Check returns ErrRange if the range is empty or not inside the payload.
func (s Slice) Check() error {
	if s.Size < 1 || s.Off < 0 || s.N <= 0 || s.Off > s.Size || s.N > s.Size-s.Off {
		return ErrRange
	}
	return nil
}

// Len is the number of bytes that the slice takes on the wire: what a reader reads,
// and the most that it accepts. The range has passed Check.
func (s Slice) Len() int64 { return prefixSize + s.encoded(0, s.Size) }

// encoded is what the subtree of the n bytes at pos contributes.
func (s Slice) encoded(pos, n int64) int64 {
	switch {
	case pos >= s.Off+s.N || s.Off >= pos+n:
		return 0
	case n <= GroupSize:
		return n
	case s.Off <= pos && pos+n <= s.Off+s.N:
		return n + nodeSize*(Groups(n)-1)
	}
	half := leftSize(n)
	return nodeSize + s.encoded(pos, half) + s.encoded(pos+half, n-half)
}

// Verify reads exactly the slice from r and writes the N bytes of the range to w,
// each group after it has been verified. ErrCorrupt means that the sender lies or
// its disk does; a stream that ends early is io.ErrUnexpectedEOF; other errors are
// those of r and w.
func (s Slice) Verify(w io.Writer, r io.Reader) error {
	if err := s.Check(); err != nil {
		return err
	}
	left := io.LimitedReader{R: r, N: s.Len()}
	in := bufio.NewReaderSize(&left, 4*GroupSize)
	// SPEC: the length prefix is not covered by the hash: compare it first.
	prefix, err := in.Peek(prefixSize)
	if err != nil {
		return sliceError(err)
	}
	if binary.LittleEndian.Uint64(prefix) != uint64(s.Size) {
		return fmt.Errorf("%w: slice of a payload of another length", ErrCorrupt)
	}
	ok, err := bao.DecodeSlice(w, in, Group, uint64(s.Off), uint64(s.N), s.Shard.Hash())
	switch {
	case err != nil:
		return sliceError(err)
	case !ok:
		return fmt.Errorf("%w: slice does not verify", ErrCorrupt)
	}
	return nil
}

func sliceError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read slice: %w", err)
}
