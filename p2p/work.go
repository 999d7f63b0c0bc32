package p2p

import "sync"

// work counts the goroutines that a host waits for before it is closed.
type work struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// begin reports whether work may begin; whoever began calls end once.
func (w *work) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.wg.Add(1)
	return true
}

func (w *work) end() { w.wg.Done() }

// run starts f in a goroutine, unless the host is closing.
func (w *work) run(f func()) bool {
	if !w.begin() {
		return false
	}
	go func() {
		defer w.end()
		f()
	}()
	return true
}

// close lets nothing more begin. It reports whether this call was the first.
func (w *work) close() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := !w.closed
	w.closed = true
	return first
}

func (w *work) wait() { w.wg.Wait() }
