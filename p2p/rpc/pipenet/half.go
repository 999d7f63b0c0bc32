package pipenet

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// ErrReset is what a stream that was reset, by either side, answers.
var ErrReset = errors.New("stream reset")

// Window is how many bytes one direction holds before its writer waits.
const Window = 1 << 20

// half is one direction of a stream: a ring of bytes that grows up to Window.
type half struct {
	mu      sync.Mutex
	changed *sync.Cond
	ring    []byte
	at, n   int   // the first byte that was not read, and how many there are
	eof     bool  // the writer has finished
	err     error // set by a reset
	read    deadline
	write   deadline
}

func newHalf() *half {
	h := &half{}
	h.changed = sync.NewCond(&h.mu)
	return h
}

func (h *half) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.err != nil:
			return 0, h.err
		case h.read.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case h.n > 0:
			n := copy(p, h.ring[h.at:min(len(h.ring), h.at+h.n)])
			h.at, h.n = (h.at+n)%len(h.ring), h.n-n
			h.changed.Broadcast()
			return n, nil
		case h.eof:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

func (h *half) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	done := 0
	for done < len(p) {
		switch {
		case h.err != nil:
			return done, h.err
		case h.eof:
			return done, io.ErrClosedPipe
		case h.write.passed():
			return done, os.ErrDeadlineExceeded
		case h.n < Window:
			done += h.put(p[done:])
			h.changed.Broadcast()
		default:
			h.changed.Wait()
		}
	}
	return done, nil
}

// put copies what fits.
func (h *half) put(p []byte) int {
	if need := min(Window, h.n+len(p)); need > len(h.ring) {
		ring := make([]byte, min(Window, max(need, 2*len(h.ring))))
		k := copy(ring, h.ring[h.at:min(len(h.ring), h.at+h.n)])
		copy(ring[k:h.n], h.ring)
		h.ring, h.at = ring, 0
	}
	end := (h.at + h.n) % len(h.ring)
	n := copy(h.ring[end:min(len(h.ring), end+len(h.ring)-h.n)], p)
	h.n += n
	return n
}

// finish is the writer's end of the direction.
func (h *half) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.eof = true
	h.changed.Broadcast()
}

// reset drops everything.
func (h *half) reset(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
		h.ring, h.n, h.at = nil, 0, 0
	}
	h.read.stop()
	h.write.stop()
	h.changed.Broadcast()
}

// deadline wakes the waiting side when it passes. Its half's lock guards it.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (h *half) setDeadline(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.stop()
	d.at = t
	if !t.IsZero() && h.err == nil {
		d.timer = time.AfterFunc(time.Until(t), h.wake)
	}
	h.changed.Broadcast()
}

func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed.Broadcast()
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
