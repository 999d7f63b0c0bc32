package rpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/p2p/rpc"
)

// quick are limits under which a silent peer is found soon.
var quick = rpc.Limits{Progress: 30 * time.Millisecond, Answer: 30 * time.Millisecond, Linger: 30 * time.Millisecond}

func TestHostileServer(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<34)
	yes := wire.AppendFrame(nil, wire.MustEncode(answer{}))
	parts := func(n ...uint64) []byte { return wire.AppendFrame(nil, wire.MustEncode(answer{Parts: n})) }
	for name, c := range map[string]struct {
		says  []byte
		reads bool
		stays bool // does not close
		want  error
	}{
		"silent":                       {reads: true, stays: true, want: rpc.ErrTimeout},
		"silent and deaf":              {stays: true, want: rpc.ErrTimeout},
		"gone":                         {want: rpc.ErrBroken},
		"garbage":                      {says: []byte("\x10HTTP/1.1 400 Bad"), reads: true, want: rpc.ErrProtocol},
		"huge frame":                   {says: huge, reads: true, stays: true, want: rpc.ErrProtocol},
		"endless length":               {says: bytes.Repeat([]byte{0xff}, 20), reads: true, stays: true, want: rpc.ErrProtocol},
		"half a frame":                 {says: yes[:3], reads: true, want: rpc.ErrBroken},
		"half a frame, then silence":   {says: yes[:3], reads: true, stays: true, want: rpc.ErrTimeout},
		"huge part":                    {says: parts(1 << 40), reads: true, stays: true, want: rpc.ErrProtocol},
		"huge parts":                   {says: parts(32<<20, 32<<20, 32<<20), reads: true, stays: true, want: rpc.ErrProtocol},
		"lengths that overflow":        {says: parts(1<<63-1, 1<<63-1, 3), reads: true, stays: true, want: rpc.ErrProtocol},
		"too many parts":               {says: parts(1, 1, 1, 1, 1, 1, 1, 1, 1, 1), reads: true, stays: true, want: rpc.ErrProtocol},
		"part that ends early":         {says: append(parts(100), 1, 2, 3), reads: true, want: rpc.ErrBroken},
		"part that never comes":        {says: parts(1 << 20), reads: true, stays: true, want: rpc.ErrTimeout},
		"yes before it has read":       {says: yes, stays: true, want: rpc.ErrProtocol},
		"unknown refusal":              {says: wire.AppendFrame(nil, wire.MustEncode(answer{Status: 999})), reads: true, want: rpc.ErrRefused},
		"refusal before it has read":   {says: wire.AppendFrame(nil, wire.MustEncode(answer{Status: 10})), stays: true, want: rpc.ErrProtocol},
		"last refusal before it reads": {says: lastRefusal(), stays: true, want: errNo},
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			defer close(over)
			limits := rpc.Limits{}
			switch {
			case c.want == rpc.ErrTimeout:
				limits = quick
			case !c.reads && c.stays: // what is not read is noticed after that
				limits.Linger = quick.Linger
			}
			w := newWorld(t, limits, func(ctx context.Context, s rpc.Stream) {
				if c.reads {
					_, _ = io.CopyN(io.Discard, s, 4<<20)
				}
				_, _ = s.Write(c.says)
				if c.stays {
					<-over
				}
				_ = s.Close()
			})
			_, err := w.ask(t.Context(), "echo", make([]byte, 4<<20))
			wantErr(t, err, c.want)
		})
	}
}

func lastRefusal() []byte {
	return wire.AppendFrame(nil, wire.MustEncode(struct {
		Status uint64 `cbor:"status"`
		Last   bool   `cbor:"last"`
	}{10, true}))
}

// drip is a stream on which time passes only by reading and writing: each call
// moves at most step bytes and takes a second.
type drip struct {
	step   int
	in     io.Reader
	mu     sync.Mutex
	read   time.Duration // what is left of the deadline
	write  time.Duration
	wrote  int
	silent chan struct{} // if not nil, nothing comes, and it is closed by the first read deadline
}

func left(at time.Time) time.Duration {
	if at.IsZero() {
		return 1 << 60
	}
	return time.Until(at)
}

func (d *drip) SetReadDeadline(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = left(at)
	if d.silent != nil && !at.IsZero() {
		close(d.silent)
	}
	return nil
}

func (d *drip) SetWriteDeadline(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write = left(at)
	return nil
}

func (d *drip) Read(p []byte) (int, error) {
	if d.silent != nil {
		<-d.silent
		return 0, os.ErrDeadlineExceeded
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read -= time.Second; d.read < 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return d.in.Read(p[:min(len(p), d.step)])
}

func (d *drip) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		d.mu.Lock()
		if d.write -= time.Second; d.write < 0 {
			d.mu.Unlock()
			return n, os.ErrDeadlineExceeded
		}
		n += min(len(p)-n, d.step)
		d.mu.Unlock()
	}
	d.wrote += n
	return n, nil
}

func (d *drip) CloseWrite() error       { return nil }
func (d *drip) Reset()                  {}
func (d *drip) Close() error            { return nil }
func (d *drip) Remote() ident.PublicKey { return key(1) }

// TestFloor: a stride in each Progress is enough, a little less is not, however
// long it goes on.
func TestFloor(t *testing.T) {
	l := rpc.Limits{Stride: 1000, Progress: 100*time.Second + time.Second/2, Answer: time.Hour, Idle: time.Hour}
	request := wire.AppendFrame(nil, wire.MustEncode(request{"count", []uint64{100_000}}))
	for _, c := range []struct {
		step int
		ok   bool
	}{{10, true}, {9, false}, {1, false}} {
		s := &drip{step: c.step, in: io.MultiReader(bytes.NewReader(request), io.LimitReader(zeros{}, 100_000))}
		rpc.NewGate(l).Serve(t.Context(), s, table, echo)
		if answered := s.wrote > 0; answered != c.ok {
			t.Errorf("server, %d bytes a second: answered is %v", c.step, answered)
		}

		said := append(wire.AppendFrame(nil, wire.MustEncode(answer{Parts: []uint64{100_000}})), make([]byte, 100_000)...)
		err := dripping(t, l, &drip{step: c.step, in: bytes.NewReader(said)}, nil)
		if c.ok != (err == nil) {
			t.Errorf("client that reads %d bytes a second: %v", c.step, err)
		}
		if !c.ok {
			wantErr(t, err, rpc.ErrTimeout)
		}
	}
	// A peer that reads too slowly, and says nothing.
	for _, step := range []int{9, 10} {
		err := dripping(t, l, &drip{step: step, silent: make(chan struct{})}, make([]byte, 100_000))
		wantErr(t, err, rpc.ErrTimeout)
	}
}

func dripping(t *testing.T, l rpc.Limits, d *drip, raw []byte) error {
	p := rpc.NewPool(l, nil, func(context.Context) (rpc.Stream, error) { return d, nil })
	defer p.Close()
	return p.Do(t.Context(), func(c *rpc.Call) error {
		var a answer
		if err := c.Ask(table, request{Op: "echo"}, &a, raw); err != nil {
			return err
		}
		_, err := c.Parts(a.Parts, bounds)
		return err
	})
}

// scripted is a stream from which fixed bytes are read.
type scripted struct {
	io.Reader
	bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (s *scripted) CloseWrite() error                { return nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) Reset()                           {}
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) Remote() ident.PublicKey          { return key(3) }

// FuzzServe: whatever a client sends, the server ends the stream, and what it has
// answered is frames with the parts that they announce.
func FuzzServe(f *testing.F) {
	frame := func(m request) []byte { return wire.AppendFrame(nil, wire.MustEncode(m)) }
	f.Add([]byte{})
	f.Add(append(frame(request{"echo", []uint64{3}}), 1, 2, 3))
	f.Add(append(frame(request{"count", []uint64{3}}), 1, 2, 3))
	f.Add(append(frame(request{"refuse", []uint64{3}}), 1, 2, 3))
	f.Add(append(frame(request{"late", []uint64{2, 1}}), 1, 2, 3))
	f.Add(append(frame(request{Op: "early"}), frame(request{Op: "stream"})...))
	f.Add(frame(request{"echo", []uint64{1 << 62, 1 << 62}}))
	f.Add(binary.AppendUvarint(nil, 1<<33))
	f.Fuzz(func(t *testing.T, p []byte) {
		if bytes.Contains(p, []byte("hang")) {
			return // waits for the end of the context
		}
		s := &scripted{Reader: bytes.NewReader(p)}
		rpc.NewGate(rpc.Limits{}).Serve(t.Context(), s, table, echo)
	})
}

// FuzzCall: whatever a server answers, the client ends.
func FuzzCall(f *testing.F) {
	f.Add([]byte{})
	f.Add(wire.AppendFrame(nil, wire.MustEncode(answer{})))
	f.Add(append(wire.AppendFrame(nil, wire.MustEncode(answer{Parts: []uint64{3}})), 1, 2, 3))
	f.Add(lastRefusal())
	f.Add(wire.AppendFrame(nil, []byte{0xa1, 0x66, 's', 't', 'a', 't', 'u', 's', 0x0a}))
	f.Fuzz(func(t *testing.T, p []byte) {
		pool := rpc.NewPool(rpc.Limits{}, nil, func(context.Context) (rpc.Stream, error) {
			return &scripted{Reader: bytes.NewReader(p)}, nil
		})
		defer pool.Close()
		for range 2 {
			_ = pool.Do(t.Context(), func(c *rpc.Call) error {
				var a answer
				if err := c.Ask(table, request{Op: "echo"}, &a); err != nil {
					return err
				}
				_, err := c.Parts(a.Parts, bounds)
				c.Settle()
				return err
			})
		}
	})
}
