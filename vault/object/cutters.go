package object

import (
	"context"
	"io"

	"holdfast/chunker"
)

// cutters keeps chunkers, which hold 8 MiB each once they have cut a stream that is
// not short. The one that came back last goes out first, so that few of them grow.
type cutters struct {
	key   [32]byte
	slots chan struct{}
	idle  chan *chunker.Chunker
}

func newCutters(key [32]byte, most int) *cutters {
	return &cutters{key: key, slots: make(chan struct{}, most), idle: make(chan *chunker.Chunker, most)}
}

// get returns a chunker when one is free, or why ctx has ended before.
func (c *cutters) get(ctx context.Context) (*chunker.Chunker, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case k := <-c.idle:
		return k, nil
	default:
		return chunker.New(c.key), nil
	}
}

func (c *cutters) put(k *chunker.Chunker) {
	k.Reset(eof{})
	c.idle <- k
	<-c.slots
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// stoppable is a reader that ends with a context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s stoppable) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.r.Read(p)
}
