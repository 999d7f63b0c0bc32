package node

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"holdfast/p2p/rpc"
)

// class says what payload is moved for.
type class string

// The classes of payload, as the metric holdfast_transfer_bytes_total names them.
const (
	classPut    class = "put"
	classGet    class = "get"
	classRepair class = "repair"
	classAudit  class = "audit"
)

// classes are all of them.
func classes() []class { return []class{classPut, classGet, classRepair, classAudit} }

// throttle counts the payload that comes and goes, and keeps it within the operator's
// limits, which are for all transfers of a direction together. Messages are small and
// not counted.
//
// A transfer moves on in small pieces in its turn, so that the other side sees progress
// at any rate that is allowed. When so many are under way that their turns would come too
// seldom for the deadlines of the protocol, the next one is refused with rpc.ErrBusy.
type throttle struct {
	up, down *direction
}

// direction is one of the two.
type direction struct {
	limit   func() Rate // the one that holds now, 0 for none
	moved   map[class]*atomic.Int64
	limiter *rate.Limiter

	mu     sync.Mutex
	rate   Rate // that the limiter has
	moving int  // transfers under way
}

const (
	// throttlePiece is how much is moved in a turn.
	throttlePiece = 16 << 10

	// strideTime is what a stride of a transfer may take: a third of what its deadline is.
	strideTime = 20
	stride     = 256 << 10 // rpc.Limits has the same
)

// newThrottle makes the throttle for the limits of a configuration.
func newThrottle(limits []Limit, now clock) *throttle {
	toward := func(pick func(l Limit) Rate) *direction {
		d := &direction{
			limit:   func() Rate { return tightest(limits, now, pick) },
			moved:   map[class]*atomic.Int64{},
			limiter: rate.NewLimiter(rate.Inf, throttlePiece),
		}
		for _, c := range classes() {
			d.moved[c] = new(atomic.Int64)
		}
		return d
	}
	return &throttle{
		up:   toward(func(l Limit) Rate { return l.Up }),
		down: toward(func(l Limit) Rate { return l.Down }),
	}
}

// status says what has come and gone, and which limits hold.
func (t *throttle) status() TrafficStatus {
	s := TrafficStatus{LimitIn: int64(t.down.limit()), LimitOut: int64(t.up.limit())}
	for _, c := range classes() {
		s.Classes = append(s.Classes, ClassStatus{Class: string(c), In: t.down.moved[c].Load(), Out: t.up.moved[c].Load()})
	}
	return s
}

// tightest returns the smallest limit that holds now, by local time.
func tightest(limits []Limit, now clock, pick func(l Limit) Rate) (least Rate) {
	if len(limits) == 0 {
		return 0
	}
	at := now().Local()
	for _, l := range limits {
		if r := pick(l); r > 0 && l.holds(at) && (least == 0 || r < least) {
			least = r
		}
	}
	return least
}

// begin enters a transfer. The caller calls done when it is over.
func (d *direction) begin() (done func(), err error) {
	limit := d.limit()
	d.mu.Lock()
	defer d.mu.Unlock()
	if most := max(1, limit/(stride/strideTime)); limit > 0 && int64(d.moving) >= int64(most) {
		return nil, fmt.Errorf("%w: %d transfers are under way at %d bytes a second", rpc.ErrBusy, d.moving, limit)
	}
	d.moving++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.moving--
	}), nil
}

// wait returns when n bytes, at most a piece, may be moved.
func (d *direction) wait(ctx context.Context, n int) error {
	limit := d.limit()
	d.mu.Lock()
	if limit != d.rate {
		d.rate = limit
		if limit > 0 {
			d.limiter.SetLimit(rate.Limit(limit))
		} else {
			d.limiter.SetLimit(rate.Inf)
		}
	}
	d.mu.Unlock()
	if limit == 0 {
		return nil
	}
	return d.limiter.WaitN(ctx, n)
}

// pay counts n bytes that are about to be moved at once, and returns when they may be.
func (d *direction) pay(ctx context.Context, c class, n int64) error {
	for left := n; left > 0; left -= throttlePiece {
		if err := d.wait(ctx, int(min(left, throttlePiece))); err != nil {
			return err
		}
	}
	d.moved[c].Add(n)
	return nil
}

// reader counts and slows what comes out of r.
func (d *direction) reader(ctx context.Context, c class, r io.Reader) io.Reader {
	return slowReader{ctx, d, d.moved[c], r}
}

// slowReader is a stream that comes in. It belongs to one call, whose context it has.
type slowReader struct {
	ctx   context.Context
	d     *direction
	bytes *atomic.Int64
	r     io.Reader
}

func (s slowReader) Read(p []byte) (int, error) {
	if s.d.limit() > 0 {
		p = p[:min(len(p), throttlePiece)]
	}
	n, err := s.r.Read(p)
	s.bytes.Add(int64(n))
	for left := n; left > 0; left -= throttlePiece {
		if err := s.d.wait(s.ctx, min(left, throttlePiece)); err != nil {
			return n, err
		}
	}
	return n, err
}

// writer counts and slows what goes into w.
func (d *direction) writer(ctx context.Context, c class, w io.Writer) io.Writer {
	return slowWriter{ctx, d, d.moved[c], w}
}

// slowWriter is a stream that goes out. It belongs to one call, whose context it has.
type slowWriter struct {
	ctx   context.Context
	d     *direction
	bytes *atomic.Int64
	w     io.Writer
}

func (s slowWriter) Write(p []byte) (done int, err error) {
	for done < len(p) {
		piece := p[done:]
		if s.d.limit() > 0 {
			piece = piece[:min(len(piece), throttlePiece)]
			if err := s.d.wait(s.ctx, len(piece)); err != nil {
				return done, err
			}
		}
		n, err := s.w.Write(piece)
		done += n
		s.bytes.Add(int64(n))
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
