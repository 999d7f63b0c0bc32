package chunker

import "io"

const (
	// firstRead is what the smallest files cost. The head's buffer doubles
	// from there, up to MinSize.
	firstRead = 16 << 10
	// maxEmptyReads is how often a reader may return nothing at all before it
	// is given up, as in bufio.
	maxEmptyReads = 100
)

// readHead fills the head with the first MinSize bytes of the stream. With io.EOF
// the head holds the whole stream, and is one chunk by any reckoning.
func (c *Chunker) readHead() error {
	c.head = c.head[:0]
	for empty := 0; len(c.head) < MinSize; {
		c.growHead()
		n, err := c.source.Read(c.head[len(c.head):cap(c.head)])
		c.head = c.head[:len(c.head)+n]
		if err != nil {
			return err
		}
		if n > 0 {
			empty = 0
		} else if empty++; empty >= maxEmptyReads {
			return io.ErrNoProgress
		}
	}
	return nil
}

func (c *Chunker) growHead() {
	if len(c.head) < cap(c.head) {
		return
	}
	grown := make([]byte, len(c.head), min(max(firstRead, 2*cap(c.head)), MinSize))
	copy(grown, c.head)
	c.head = grown
}
