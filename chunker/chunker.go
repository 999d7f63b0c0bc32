package chunker

import (
	"bytes"
	"io"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"
	_ "github.com/PlakarKorp/go-cdc-chunkers/chunkers/jc" // registers the algorithm
)

// Sizes of chunks. Every chunk of a stream but the last has at least MinSize
// bytes, and none has more than MaxSize.
const (
	MinSize    = 256 << 10
	NormalSize = 512 << 10
	MaxSize    = 4 << 20
)

// algorithm is the only one of the library's that finds its old cuts again after
// an insertion, at these sizes. A test measures it.
const algorithm = "jc-v1.0.0"

// Chunker cuts one stream after another. It keeps its buffers from stream to
// stream, so a caller reuses it with Reset. It is for one goroutine at a time.
type Chunker struct {
	key    [32]byte
	source io.Reader
	head   []byte            // the first bytes of a stream, or all of a short one
	again  bytes.Reader      // hands the head over to large
	large  *chunkers.Chunker // made for the first stream that is not short: it takes 8 MiB
	begun  bool
	err    error // what Next returns from now on
}

// New returns a Chunker for one vault's chunker key. It has no stream yet: until
// Reset is called, Next says io.EOF.
func New(key [32]byte) *Chunker { return &Chunker{key: key, err: io.EOF} }

// Reset begins a new stream. Whatever was left of the one before is forgotten.
func (c *Chunker) Reset(r io.Reader) {
	c.source, c.begun, c.err = r, false, nil
}

// Next returns the next chunk. Its bytes are valid until the next call of Next or
// Reset. At the end the error is io.EOF, and there are no bytes with it; an empty
// stream has no chunk. An error of the stream's reader is returned as it is, and
// bytes that were read before it and not yet returned are lost.
//
// The cuts depend on the key and on the stream's bytes, not on how its reader
// portions them out.
func (c *Chunker) Next() ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	if !c.begun {
		c.begun = true
		if err := c.begin(); err != nil {
			return c.end(c.head, err)
		}
	}
	p, err := c.large.Next()
	if err != nil {
		return c.end(p, err)
	}
	return p, nil
}

// begin reads the head of the stream. If the stream ends in it, the error is
// io.EOF and the head its only chunk; if not, the library goes on from there.
func (c *Chunker) begin() error {
	if err := c.readHead(); err != nil {
		return err
	}
	c.again.Reset(c.head)
	return c.reset(io.MultiReader(&c.again, c.source))
}

// end returns the last chunk of a stream, or why there is none. Only io.EOF
// itself is an end: an error that wraps it comes from a stream that was torn.
func (c *Chunker) end(last []byte, err error) ([]byte, error) {
	c.source, c.err = nil, err
	if err == io.EOF && len(last) > 0 {
		return last, nil
	}
	return nil, err
}

func (c *Chunker) reset(r io.Reader) error {
	if c.large != nil {
		c.large.Reset(r)
		return nil
	}
	large, err := chunkers.NewChunker(algorithm, r, &chunkers.ChunkerOpts{
		MinSize:    MinSize,
		NormalSize: NormalSize,
		MaxSize:    MaxSize,
		Key:        c.key[:],
	})
	c.large = large
	return err
}
