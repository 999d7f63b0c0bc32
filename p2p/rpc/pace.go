package rpc

import (
	"math"
	"time"
)

// pacedReader reads from a stream under a deadline that is renewed only when a
// whole stride has come.
type pacedReader struct {
	stream Stream
	limits Limits
	left   int // bytes to the end of the stride
}

// allow gives the peer d for the next stride; every later one gets Progress. Zero
// means no deadline for the next stride.
func (r *pacedReader) allow(d time.Duration) {
	r.left = r.limits.Stride
	_ = r.stream.SetReadDeadline(after(d)) // a stream that is gone says so when it is read
}

// allowNoMore gives the peer d for everything that still comes.
func (r *pacedReader) allowNoMore(d time.Duration) {
	r.allow(d)
	r.left = math.MaxInt
}

func (r *pacedReader) Read(p []byte) (int, error) {
	n, err := r.stream.Read(p)
	if r.left -= n; r.left <= 0 {
		r.allow(r.limits.Progress)
	}
	return n, err
}

// pacedWriter writes to a stream in strides, each with a deadline of its own.
type pacedWriter struct {
	stream  Stream
	limits  Limits
	left    int
	written bool // a byte may have gone out since the flag was cleared
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if w.left <= 0 {
			w.left = w.limits.Stride
			_ = w.stream.SetWriteDeadline(after(w.limits.Progress))
		}
		w.written = true
		n, err := w.stream.Write(p[done:min(len(p), done+w.left)])
		done += n
		w.left -= n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// begin starts a stride: a message that begins now owes nothing to the one before.
func (w *pacedWriter) begin() { w.left, w.written = 0, false }

func after(d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
