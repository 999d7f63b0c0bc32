package object

import (
	"bytes"
	"context"
	"io"
	"sync"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// cache keeps whole sealed segments in a fixed number of buffers. Whoever wants the
// same segment at the same time waits for the same fetch; who wants another one
// waits for a buffer that nobody uses, the one that was used longest ago.
type cache struct {
	buffers *pool

	mu      sync.Mutex
	entries map[ident.CID]*entry
	tick    uint64
	idle    chan struct{} // closed, and replaced, when a buffer may have become free
	evicted func(*entry)  // told of entries that had to go
}

// entry is a segment in the cache, or on its way there.
type entry struct {
	segment ident.CID
	ready   chan struct{} // closed when sealed or err is set
	err     error
	buffer  []byte
	sealed  []byte
	cancel  context.CancelFunc // of the fetch

	// Under the cache's lock.
	refs      int
	ahead     bool // fetched before anybody asked for it
	abandoned bool // its fetch was stopped because nobody waited for it any more
	used      uint64
	served    int64 // stored bytes of chunks that were read from it

	mu      sync.Mutex
	section *seal.Section // opened once; of size bytes
	size    int64
}

// open returns the section of the segment's first size bytes, opening it unless it
// was the last one that was asked for. It may be read until the entry is released.
func (e *entry) open(size int64, open func(src io.ReaderAt, size int64) (*seal.Section, error)) (*seal.Section, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.section == nil || e.size != size {
		s, err := open(bytes.NewReader(e.sealed[:size]), size)
		if err != nil {
			return nil, err
		}
		e.section, e.size = s, size
	}
	return e.section, nil
}

func newCache(buffers *pool, evicted func(*entry)) *cache {
	return &cache{buffers: buffers, entries: map[ident.CID]*entry{}, idle: make(chan struct{}), evicted: evicted}
}

// fetcher fills a buffer with a sealed segment and returns the part that it has
// filled.
type fetcher func(ctx context.Context, buffer []byte) ([]byte, error)

// acquire returns an entry that is ready, fetching it if need be, and release,
// which must be called when its bytes are not read any more. Spawn starts the
// fetch, which outlives its first caller as long as another one waits.
func (c *cache) acquire(ctx context.Context, segment ident.CID, spawn func(func()) bool, fetch fetcher) (*entry, func(), error) {
	for {
		e, err := c.join(ctx, segment, spawn, fetch)
		if err != nil {
			return nil, nil, err
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			c.leave(e)
			return nil, nil, context.Cause(ctx)
		}
		if e.err == nil {
			return e, func() { c.leave(e) }, nil
		}
		// A fetch that was stopped because those left who wanted it says nothing.
		if abandoned := c.leave(e); !abandoned || ctx.Err() != nil {
			return nil, nil, e.err
		}
	}
}

// join takes part in an entry, which it begins if there is none.
func (c *cache) join(ctx context.Context, segment ident.CID, spawn func(func()) bool, fetch fetcher) (*entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[segment]
	if e == nil {
		var ok bool
		if e, ok = c.begin(ctx, segment, nil, spawn, fetch); !ok {
			return nil, ErrClosed
		}
	}
	e.refs++
	e.ahead = false
	c.touch(e)
	return e, nil
}

// begin starts the fetch of an entry. Without a buffer the fetch begins by waiting
// for one.
func (c *cache) begin(ctx context.Context, segment ident.CID, buffer []byte, spawn func(func()) bool, fetch fetcher) (*entry, bool) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &entry{segment: segment, ready: make(chan struct{}), cancel: cancel, buffer: buffer}
	c.touch(e)
	if !spawn(func() { c.run(ctx, e, fetch) }) {
		cancel()
		return nil, false
	}
	c.entries[segment] = e
	return e, true
}

// prefetch fetches a segment that nobody has asked for yet, if there is room for it
// without loss.
func (c *cache) prefetch(ctx context.Context, segment ident.CID, spawn func(func()) bool, fetch fetcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[segment] != nil {
		return
	}
	buffer, ok := c.take(false)
	if !ok {
		return
	}
	e, ok := c.begin(ctx, segment, buffer, spawn, fetch)
	if !ok {
		c.buffers.put(buffer)
		return
	}
	e.ahead = true
}

func (c *cache) has(segment ident.CID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[segment] != nil
}

// run is the fetch of one entry, from the buffer to the end.
func (c *cache) run(ctx context.Context, e *entry, fetch fetcher) {
	defer e.cancel()
	var sealed []byte
	err := c.wait(ctx, e)
	if err == nil {
		sealed, err = fetch(ctx, e.buffer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.sealed, e.err = sealed, err
	if err != nil {
		if e.buffer != nil {
			c.buffers.put(e.buffer)
			e.buffer = nil
		}
		delete(c.entries, e.segment)
	}
	close(e.ready)
	c.wake()
}

// wait gets the entry a buffer.
func (c *cache) wait(ctx context.Context, e *entry) error {
	for e.buffer == nil {
		c.mu.Lock()
		buffer, ok := c.take(true)
		idle := c.idle
		c.mu.Unlock()
		if ok {
			e.buffer = buffer
			return ctx.Err()
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// take returns a free buffer, or that of the segment that was used longest ago
// among those that nobody reads. What was fetched ahead goes only by force.
func (c *cache) take(force bool) ([]byte, bool) {
	if b, ok := c.buffers.try(); ok {
		return b, true
	}
	var oldest *entry
	for _, e := range c.entries {
		if e.refs > 0 || e.sealed == nil || e.ahead && !force {
			continue
		}
		if oldest == nil || e.used < oldest.used {
			oldest = e
		}
	}
	if oldest == nil {
		return nil, false
	}
	delete(c.entries, oldest.segment)
	c.evicted(oldest)
	return oldest.buffer, true
}

// leave ends one use. A fetch that nobody waits for any more is stopped; leave
// reports whether that has happened to this entry.
func (c *cache) leave(e *entry) (abandoned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.refs--; e.refs > 0 {
		return e.abandoned
	}
	if e.sealed == nil && e.err == nil {
		e.abandoned = true
		e.cancel()
	}
	c.wake()
	return e.abandoned
}

// serve counts what was read from an entry.
func (c *cache) serve(e *entry, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.served += n
	c.touch(e)
}

func (c *cache) touch(e *entry) {
	c.tick++
	e.used = c.tick
}

func (c *cache) wake() {
	close(c.idle)
	c.idle = make(chan struct{})
}

// stop ends all fetches; clear, once they have ended, gives the buffers back.
func (c *cache) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		e.cancel()
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.buffer != nil {
			c.buffers.put(e.buffer)
		}
	}
	c.entries = map[ident.CID]*entry{}
	c.buffers.release()
}
