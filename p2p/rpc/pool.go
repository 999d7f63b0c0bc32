package rpc

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Pool keeps the streams to one peer for one protocol and one greeting. It is safe
// for concurrent use.
type Pool struct {
	open     func(ctx context.Context) (Stream, error)
	greeting [][]byte
	limits   Limits
	slots    chan struct{}

	mu     sync.Mutex
	idle   []*idleCall
	closed bool
}

type idleCall struct {
	call  *Call
	timer *time.Timer
}

// NewPool makes an empty pool. The greeting, frames and parts whose one answer is a
// frame, goes before the first request on each stream, and in the same write if it
// is short; without a greeting it is nil.
func NewPool(l Limits, greeting [][]byte, open func(ctx context.Context) (Stream, error)) *Pool {
	l = l.withDefaults()
	return &Pool{open: open, greeting: greeting, limits: l, slots: make(chan struct{}, l.Streams)}
}

// Do runs f on a stream, an idle one or a new one, when one of the pool's slots is
// free. If the end of ctx comes first, the stream is reset at once and the error is
// the context's cause. If an idle stream turns out to be closed by the peer, f runs
// once more on a new one: every request may be repeated.
func (p *Pool) Do(ctx context.Context, f func(c *Call) error) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.slots }()
	c, err := p.take()
	if err != nil {
		return err
	}
	if c != nil {
		stale, err := p.run(ctx, c, f)
		if !stale || ctx.Err() != nil {
			return err
		}
	}
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	_, err = p.run(ctx, newCall(s, p.limits, p.greeting), f)
	return err
}

// run runs f on a stream, and then ends the stream or puts it aside: nobody looks at
// the call after that. Stale says that the stream was closed by the peer before.
func (p *Pool) run(ctx context.Context, c *Call, f func(c *Call) error) (stale bool, err error) {
	stop := context.AfterFunc(ctx, c.stream.Reset)
	err = f(c)
	stale = err != nil && c.stale(err)
	if !stop() {
		c.stream.Reset()
		if err != nil {
			err = context.Cause(ctx)
		}
		return stale, err
	}
	if c.settled {
		p.keep(c)
	} else {
		c.stream.Reset()
	}
	return stale, err
}

// take returns the idle stream that was used last, or nil.
func (p *Pool) take() (*Call, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	for len(p.idle) > 0 {
		i := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if i.timer.Stop() {
			return i.call, nil
		}
	}
	return nil, nil
}

// keep puts a settled stream aside for a while.
func (p *Pool) keep(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.limits.Spare {
		c.stream.Reset()
		return
	}
	i := &idleCall{call: c}
	i.timer = time.AfterFunc(p.limits.Keep, func() { p.drop(i) })
	p.idle = append(p.idle, i)
}

// drop is what the timer of an idle stream does; nobody else ends that stream then.
func (p *Pool) drop(gone *idleCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = slices.DeleteFunc(p.idle, func(i *idleCall) bool { return i == gone })
	gone.call.stream.Reset()
}

// Close ends the idle streams and refuses new requests with ErrClosed. Requests
// under way go on; their streams are not kept.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, i := range p.idle {
		if i.timer.Stop() {
			i.call.stream.Reset()
		}
	}
	p.idle = nil
}
