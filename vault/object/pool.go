package object

import "sync"

// pool hands out buffers of one size, at most max of them, each made when it is
// first needed. Whoever wants one more waits.
type pool struct {
	size  int
	alloc func(size int) []byte
	freed func([]byte)
	free  chan []byte

	mu   sync.Mutex
	made int
	over bool // release was called: what comes back is given back at once
}

// newPool makes a pool of buffers in the collector's heap.
func newPool(size, most int) *pool {
	alloc := func(n int) []byte { return make([]byte, n) }
	return &pool{size: size, alloc: alloc, freed: func([]byte) {}, free: make(chan []byte, most)}
}

// newBigPool makes a pool of buffers outside the collector's heap, until release.
func newBigPool(size, most int) *pool {
	return &pool{size: size, alloc: allocBig, freed: freeBig, free: make(chan []byte, most)}
}

// get returns a buffer of the pool's size with any content, or false if done ends
// first.
func (p *pool) get(done <-chan struct{}) ([]byte, bool) {
	if b, ok := p.try(); ok {
		return b, true
	}
	select {
	case b := <-p.free:
		return b, true
	case <-done:
		return nil, false
	}
}

// try is get without waiting.
func (p *pool) try() ([]byte, bool) {
	select {
	case b := <-p.free:
		return b, true
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made >= cap(p.free) {
		return nil, false
	}
	p.made++
	return p.alloc(p.size), true
}

// put takes a buffer back, whatever slice of it b is, as long as it begins where
// the buffer begins.
func (p *pool) put(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		p.freed(b[:p.size])
		p.made--
		return
	}
	p.free <- b[:p.size]
}

// live returns how many buffers exist, and how many of them are in use.
func (p *pool) live() (made, used int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made, p.made - len(p.free)
}

// release gives the buffers back that are not in use, and those that are when they
// are put back.
func (p *pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	for {
		select {
		case b := <-p.free:
			p.freed(b)
			p.made--
		default:
			return
		}
	}
}
