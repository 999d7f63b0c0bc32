package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"holdfast/internal/ident"

	"lukechampine.com/blake3/guts"
)

const (
	// Group is the Bao group as the library counts it: 2^4 chunks of 1 KiB.
	Group = 4

	// GroupSize is how many bytes are verified at a time. It is what one batch of
	// the vector code hashes.
	GroupSize = guts.ChunkSize << Group
)

const (
	nodeSize   = 64 // of an inner node: two hashes
	prefixSize = 8  // of the length in front of an outboard and of a slice
	windowSize = 16 * GroupSize
)

// Groups is the number of groups of a payload, at least one.
func Groups(size int64) int64 { return max(1, (size+GroupSize-1)/GroupSize) }

// Payload serves the bytes of one shard and proves them. It trusts neither data nor
// outboard, only the CID. It is not safe for concurrent use if data is not.
type Payload struct {
	data     io.ReaderAt
	size     int64
	outboard []byte
	root     ident.CID
}

// NewPayload takes size bytes of data, their outboard and the CID that both have to
// agree with. The error is ErrCorrupt if the outboard is not one of that size.
func NewPayload(data io.ReaderAt, size int64, outboard []byte, root ident.CID) (*Payload, error) {
	// SPEC: the length prefix is not covered by the hash: compare it first.
	if size < 1 || int64(len(outboard)) != OutboardSize(size) || binary.LittleEndian.Uint64(outboard) != uint64(size) {
		return nil, fmt.Errorf("%w: outboard of another length", ErrCorrupt)
	}
	return &Payload{data, size, outboard, root}, nil
}

// WriteTo writes the payload, each group after it has been verified.
func (p *Payload) WriteTo(w io.Writer) (int64, error) {
	count := &counter{w: w}
	err := p.walk(count, 0, p.size, false)
	return count.n, err
}

// Slice writes the Bao slice of the n bytes at off. It is the one that
// bao.ExtractSlice makes, but inner nodes and groups are verified on the way, so
// that a damaged shard never looks like a lying holder.
func (p *Payload) Slice(w io.Writer, off, n int64) error {
	if off < 0 || n <= 0 || off > p.size || n > p.size-off {
		return ErrRange
	}
	return p.walk(w, off, n, true)
}

func (p *Payload) walk(w io.Writer, off, n int64, proof bool) error {
	b := buffers.Get().(*bufferPair)
	defer b.release()
	b.out.Reset(w)
	v := verifier{
		at: off, end: off + n, proof: proof,
		nodes: p.outboard[prefixSize:],
		in:    window{src: p.data, buf: b.in[:], limit: min(p.size, Groups(off+n)*GroupSize)},
		out:   b.out,
	}
	if proof {
		v.write(p.outboard[:prefixSize])
	} else {
		v.in.out = w // all of it, from the first byte on
	}
	err := v.subtree(words(p.root.Hash()), 0, p.size, guts.FlagRoot)
	// What has been verified goes out even if what follows is corrupt.
	if e := v.in.pass(); err == nil {
		err = e
	}
	if e := b.out.Flush(); err == nil {
		err = e
	}
	return err
}

// verifier goes down the hash tree, left to right, through the nodes that lie in
// [at, end), and writes out what it has verified.
type verifier struct {
	at, end int64
	proof   bool   // also write the inner nodes, in pre-order
	nodes   []byte // of the outboard, those not yet passed
	in      window
	out     *bufio.Writer
}

// subtree verifies the n bytes at pos, whose hash is cv.
func (v *verifier) subtree(cv [8]uint32, pos, n int64, flags uint32) error {
	inside := pos < v.end && v.at < pos+n
	switch {
	case !inside:
		v.nodes = v.nodes[nodeSize*(Groups(n)-1):]
		return nil
	case n <= GroupSize:
		return v.group(cv, pos, n, flags)
	}
	node := v.nodes[:nodeSize]
	v.nodes = v.nodes[nodeSize:]
	left, right := words([32]byte(node)), words([32]byte(node[32:]))
	if guts.ChainingValue(guts.ParentNode(left, right, &guts.IV, flags)) != cv {
		return fmt.Errorf("%w: inner node of bytes %d to %d", ErrCorrupt, pos, pos+n)
	}
	if v.proof {
		if err := v.write(node); err != nil {
			return err
		}
	}
	half := leftSize(n)
	if err := v.subtree(left, pos, half, 0); err != nil {
		return err
	}
	return v.subtree(right, pos+half, n-half, 0)
}

func (v *verifier) group(cv [8]uint32, pos, n int64, flags uint32) error {
	p, err := v.in.group(pos)
	if err != nil {
		return err
	}
	if groupHash(p, pos, n, flags) != cv {
		return fmt.Errorf("%w: bytes %d to %d", ErrCorrupt, pos, pos+n)
	}
	if !v.proof {
		v.in.good += n
		return nil
	}
	return v.write(p[:n])
}

func (v *verifier) write(p []byte) error {
	_, err := v.out.Write(p)
	return err
}

// leftSize is the size of the left subtree of n bytes, n > GroupSize: the largest
// power of two below n.
func leftSize(n int64) int64 {
	half := int64(GroupSize)
	for half*2 < n {
		half *= 2
	}
	return half
}

func words(b [32]byte) (cv [8]uint32) {
	for i := range cv {
		cv[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return cv
}

// window reads groups in ascending order, many of them in one call.
type window struct {
	src   io.ReaderAt
	buf   []byte // whole groups
	from  int64  // position of buf[0]
	n     int64  // bytes in buf
	limit int64  // nothing behind it is read

	out  io.Writer // takes what has been verified, from here; nil if it goes another way
	good int64     // bytes at the start of buf that have been verified
}

// pass passes on what has been verified.
func (w *window) pass() error {
	if w.good == 0 {
		return nil
	}
	_, err := w.out.Write(w.buf[:w.good])
	w.good = 0
	return err
}

// group returns the group at pos, valid until the next call. What follows the end
// of the last group is undefined.
func (w *window) group(pos int64) (*[GroupSize]byte, error) {
	if pos >= w.from+w.n {
		if err := w.fill(pos); err != nil {
			return nil, err
		}
	}
	return (*[GroupSize]byte)(w.buf[pos-w.from:]), nil
}

func (w *window) fill(pos int64) error {
	if err := w.pass(); err != nil {
		return err
	}
	w.from, w.n = pos, min(int64(len(w.buf)), w.limit-pos)
	n, err := w.src.ReadAt(w.buf[:w.n], pos)
	switch {
	case int64(n) == w.n:
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends at byte %d", ErrCorrupt, pos+int64(n))
	default:
		return fmt.Errorf("read payload: %w", err)
	}
}

// counter counts what has gone out.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// bufferPair is what one walk needs; a pool of them is no state that anyone sees.
type bufferPair struct {
	in  [windowSize]byte
	out *bufio.Writer
}

var buffers = sync.Pool{New: func() any {
	return &bufferPair{out: bufio.NewWriterSize(nil, windowSize)}
}}

func (b *bufferPair) release() {
	b.out.Reset(nil)
	buffers.Put(b)
}
