package rpc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/internal/wire"
	"holdfast/p2p/rpc"
	"holdfast/p2p/rpc/pipenet"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

const protocol = "echo/1"

var errNo = errors.New("no")

var table = rpc.NewRefusals(rpc.Row{Number: 10, Err: errNo, Explain: true})

type request struct {
	Op    string   `cbor:"op"`
	Parts []uint64 `cbor:"parts,omitempty"`
}

type answer struct {
	Status uint64   `cbor:"status"`
	Parts  []uint64 `cbor:"parts,omitempty"`
}

var bounds = rpc.Bounds{Count: 8, Each: 32 << 20, Total: 64 << 20}

// echo answers what it is told: "echo" with the parts, "count" with nothing after
// reading them as a row, "refuse" before reading, "late" after it, "stream" with
// 1 MiB, "early" with a refusal from within a stream, "torn" with too few bytes.
func echo(ctx context.Context, x *rpc.Exchange, p []byte) error {
	var m request
	if err := wire.Decode(p, &m); err != nil {
		return fmt.Errorf("%w: %w", rpc.ErrBadRequest, err)
	}
	if err := x.Expect(bounds, m.Parts...); err != nil {
		return err
	}
	if slices.Contains([]string{"echo", "refuse", "late", "stream"}, m.Op) {
		x.Named(m.Op)
	}
	switch m.Op {
	case "refuse":
		return fmt.Errorf("%w: not that", errNo)
	case "stream":
		return x.Stream(answer{Parts: []uint64{1 << 20}}, 1<<20, func(w io.Writer) error {
			_, err := io.CopyN(w, zeros{}, 1<<20)
			return err
		})
	case "early":
		return x.Stream(answer{}, 1<<20, func(w io.Writer) error {
			_, _ = w.Write(make([]byte, 100))
			return errNo
		})
	case "torn":
		return x.Stream(answer{Parts: []uint64{1 << 20}}, 1<<20, func(w io.Writer) error {
			_, _ = w.Write(make([]byte, 1<<19))
			return errNo
		})
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	case "count":
		if _, err := io.Copy(io.Discard, x.Row()); err != nil {
			return err
		}
		return x.Answer(answer{})
	}
	parts, err := x.Parts()
	if err != nil {
		return err
	}
	if m.Op == "late" {
		return errNo
	}
	return x.Answer(answer{Parts: rpc.Lengths(parts)}, parts...)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func key(b byte) ident.PublicKey { return ident.NewPrivateKey([32]byte{b}).Public() }

// world is a server and a client's pool.
type world struct {
	server *pipenet.Host
	pool   *rpc.Pool
	opened atomic.Int64
}

func newWorld(t *testing.T, l rpc.Limits, handle func(context.Context, rpc.Stream)) *world {
	net := pipenet.New()
	w := &world{server: net.Host(key(1))}
	client := net.Host(key(2))
	w.server.Handle(protocol, handle)
	w.pool = rpc.NewPool(l, nil, func(ctx context.Context) (rpc.Stream, error) {
		w.opened.Add(1)
		return client.Open(ctx, key(1), protocol)
	})
	t.Cleanup(func() {
		w.pool.Close()
		w.server.Close()
	})
	return w
}

func newEcho(t *testing.T, l rpc.Limits) *world {
	g := rpc.NewGate(l)
	return newWorld(t, l, func(ctx context.Context, s rpc.Stream) { g.Serve(ctx, s, table, echo) })
}

func (w *world) ask(ctx context.Context, op string, parts ...[]byte) ([][]byte, error) {
	var out [][]byte
	err := w.pool.Do(ctx, func(c *rpc.Call) error {
		var a answer
		if err := c.Ask(table, request{op, rpc.Lengths(parts)}, &a, parts...); err != nil {
			return err
		}
		var err error
		if out, err = c.Parts(a.Parts, bounds); err != nil {
			return err
		}
		c.Settle()
		return nil
	})
	return out, err
}

func random(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.Read(p)
	return p
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, not %v", err, want)
	}
}

func TestEcho(t *testing.T) {
	w := newEcho(t, rpc.Limits{})
	for _, sizes := range [][]int{nil, {0}, {1}, {100, 0, 7}, {32 << 10}, {64 << 10, 5}, {9 << 20}, {3, 5 << 20, 11}} {
		var parts [][]byte
		for _, n := range sizes {
			parts = append(parts, random(n))
		}
		got, err := w.ask(t.Context(), "echo", parts...)
		if err != nil {
			t.Fatalf("%v: %v", sizes, err)
		}
		if len(got) != len(parts) {
			t.Fatalf("%v: %d parts", sizes, len(got))
		}
		for i := range got {
			if !bytes.Equal(got[i], parts[i]) {
				t.Fatalf("%v: part %d differs", sizes, i)
			}
		}
	}
	if n := w.opened.Load(); n != 1 {
		t.Errorf("%d streams for one request after another", n)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		op    string
		size  int
		reuse bool // the stream is between two requests after the refusal
	}{
		{"late", 10, true}, {"late", 8 << 20, true}, {"early", 0, true},
		{"refuse", 10, false}, {"refuse", 30 << 20, false},
	} {
		t.Run(fmt.Sprint(c.op, c.size), func(t *testing.T) {
			w := newEcho(t, rpc.Limits{})
			var parts [][]byte
			if c.size > 0 {
				parts = append(parts, random(c.size))
			}
			_, err := w.ask(t.Context(), c.op, parts...)
			wantErr(t, err, errNo)
			var refusal *rpc.Refusal
			if !errors.As(err, &refusal) || refusal.Number != 10 {
				t.Errorf("%#v is no refusal", err)
			}
			if _, err := w.ask(t.Context(), "echo", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if n := w.opened.Load(); (n == 1) != c.reuse {
				t.Errorf("%d streams were opened", n)
			}
		})
	}
}

// Every refusal that is sent is counted by its number.
func TestRefusalsAreCounted(t *testing.T) {
	numbers := make(chan uint64, 4)
	w := newEcho(t, rpc.Limits{Refused: func(n uint64) { numbers <- n }})
	for _, op := range []string{"refuse", "echo", "late"} {
		_, _ = w.ask(t.Context(), op, random(10))
	}
	_, err := w.ask(t.Context(), "echo", make([][]byte, bounds.Count+1)...)
	wantErr(t, err, rpc.ErrBadRequest)
	for _, want := range []uint64{10, 10, 2} {
		if n := <-numbers; n != want {
			t.Errorf("counted %d, not %d", n, want)
		}
	}
	if len(numbers) != 0 {
		t.Errorf("%d more were counted", len(numbers))
	}
}

// Every request that is answered is told, by its verb: one that the protocol does not
// know has no name of its own.
func TestAnswersAreTold(t *testing.T) {
	told := make(chan string, 8)
	w := newEcho(t, rpc.Limits{Answered: func(verb string, number uint64, took time.Duration) {
		if took < 0 {
			t.Error(took)
		}
		told <- fmt.Sprint(verb, " ", number)
	}})
	for _, op := range []string{"echo", "stream", "refuse", "late", "what is this"} {
		_, _ = w.ask(t.Context(), op)
		want := map[string]string{"echo": "echo 0", "stream": "stream 0", "refuse": "refuse 10", "late": "late 10", "what is this": "unknown 0"}[op]
		if got := <-told; got != want {
			t.Errorf("%s: told %q, not %q", op, got, want)
		}
	}
}

func TestExplanation(t *testing.T) {
	w := newEcho(t, rpc.Limits{})
	_, err := w.ask(t.Context(), "refuse")
	if err == nil || err.Error() != "no (it says: no: not that)" {
		t.Errorf("%v", err)
	}
}

func TestBadRequest(t *testing.T) {
	w := newEcho(t, rpc.Limits{})
	too := make([][]byte, bounds.Count+1)
	_, err := w.ask(t.Context(), "echo", too...)
	wantErr(t, err, rpc.ErrBadRequest)
}

func TestStream(t *testing.T) {
	w := newEcho(t, rpc.Limits{})
	got, err := w.ask(t.Context(), "stream")
	if err != nil || len(got) != 1 || len(got[0]) != 1<<20 {
		t.Fatal(len(got), err)
	}
	_, err = w.ask(t.Context(), "torn")
	wantErr(t, err, rpc.ErrBroken)
	_, err = w.ask(t.Context(), "count", random(3<<20))
	if err != nil {
		t.Fatal(err)
	}
}

func TestBusy(t *testing.T) {
	l := rpc.Limits{PeerBytes: 1 << 20}
	w := newEcho(t, l)
	_, err := w.ask(t.Context(), "echo", random(8<<20))
	wantErr(t, err, rpc.ErrBusy)
	if _, err := w.ask(t.Context(), "echo", random(1<<20)); err != nil {
		t.Fatalf("what fits: %v", err)
	}
}

func TestTooManyRequests(t *testing.T) {
	l := rpc.Limits{PeerRequests: 2}
	w := newEcho(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := make(chan error, 3)
	for range 3 {
		go func() { _, err := w.ask(ctx, "hang"); errs <- err }()
	}
	wantErr(t, <-errs, rpc.ErrBusy) // two hang, one is told so
	cancel()
	wantErr(t, <-errs, context.Canceled)
	wantErr(t, <-errs, context.Canceled)
}

func TestCancel(t *testing.T) {
	for _, size := range []int{0, 16 << 20} { // waiting for an answer, and for a full window
		begun, cancelled, ended := make(chan struct{}), make(chan struct{}), make(chan error)
		w := newWorld(t, rpc.Limits{}, func(ctx context.Context, s rpc.Stream) {
			_, _ = s.Read(make([]byte, 1))
			close(begun)
			<-cancelled
			_, err := io.Copy(io.Discard, s)
			ended <- err
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-begun; cancel(errNo) }()
		_, err := w.ask(ctx, "echo", random(size))
		wantErr(t, err, errNo)
		close(cancelled)
		wantErr(t, <-ended, pipenet.ErrReset)
	}
}

func TestIdleStreamClosedByPeer(t *testing.T) {
	gate := rpc.NewGate(rpc.Limits{})
	var streams []rpc.Stream
	var mu sync.Mutex
	w := newWorld(t, rpc.Limits{}, func(ctx context.Context, s rpc.Stream) {
		mu.Lock()
		streams = append(streams, s)
		mu.Unlock()
		gate.Serve(ctx, s, table, echo)
	})
	for i, end := range []func(rpc.Stream){
		func(s rpc.Stream) { s.Reset() },
		func(s rpc.Stream) { _ = s.Close() },
	} {
		for _, size := range []int{1, 8 << 20} {
			if _, err := w.ask(t.Context(), "echo", random(1)); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			end(streams[len(streams)-1])
			mu.Unlock()
			if _, err := w.ask(t.Context(), "echo", random(size)); err != nil {
				t.Fatalf("%d, %d bytes after the peer closed an idle stream: %v", i, size, err)
			}
		}
	}
}

func TestServerIdle(t *testing.T) {
	a, b := pipenet.Pipe(key(2), key(1))
	rpc.NewGate(rpc.Limits{Idle: 20 * time.Millisecond}).Serve(t.Context(), b, table, echo) // returns by itself
	_, err := a.Read(make([]byte, 1))
	wantErr(t, err, pipenet.ErrReset)
}

func TestClientSlots(t *testing.T) {
	begun := make(chan struct{}, 2)
	gate := rpc.NewGate(rpc.Limits{})
	w := newWorld(t, rpc.Limits{Streams: 1}, func(ctx context.Context, s rpc.Stream) {
		begun <- struct{}{}
		gate.Serve(ctx, s, table, echo)
	})
	ctx, cancel := context.WithCancel(t.Context())
	hung := make(chan error)
	go func() { _, err := w.ask(ctx, "hang"); hung <- err }()
	<-begun
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	_, err := w.ask(short, "echo")
	wantErr(t, err, context.DeadlineExceeded)
	cancel()
	wantErr(t, <-hung, context.Canceled)
	if _, err := w.ask(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
}

func TestPoolClose(t *testing.T) {
	w := newEcho(t, rpc.Limits{})
	if _, err := w.ask(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	w.pool.Close()
	_, err := w.ask(t.Context(), "echo")
	wantErr(t, err, rpc.ErrClosed)
}

func TestPoolKeep(t *testing.T) {
	gone := make(chan struct{}, 1)
	gate := rpc.NewGate(rpc.Limits{})
	w := newWorld(t, rpc.Limits{Keep: 10 * time.Millisecond}, func(ctx context.Context, s rpc.Stream) {
		gate.Serve(ctx, s, table, echo)
		gone <- struct{}{}
	})
	if _, err := w.ask(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	<-gone // nobody asked again
}

func TestOver(t *testing.T) {
	net := pipenet.New()
	a, b := net.Host(key(1)), net.Host(key(2))
	defer a.Close()
	var over rpc.Network = rpc.Over[ownStream](ownHost{a})
	got := make(chan ident.PublicKey, 1)
	over.Handle(protocol, func(_ context.Context, s rpc.Stream) { got <- s.Remote() })
	s, err := rpc.Over[ownStream](ownHost{b}).Open(t.Context(), key(1), protocol)
	if err != nil {
		t.Fatal(err)
	}
	s.Reset()
	if <-got != key(2) {
		t.Error("another peer")
	}
	if s, err := rpc.Over[ownStream](ownHost{b}).Open(t.Context(), key(9), protocol); err == nil || s != nil {
		t.Error("a stream to nobody")
	}
}

// ownHost has a type of stream of its own, as a real host has.
type ownHost struct{ *pipenet.Host }

type ownStream interface{ rpc.Stream }

func (h ownHost) Open(ctx context.Context, node ident.PublicKey, p string) (ownStream, error) {
	return h.Host.Open(ctx, node, p)
}

func (h ownHost) Handle(p string, f func(context.Context, ownStream)) {
	h.Host.Handle(p, func(ctx context.Context, s rpc.Stream) { f(ctx, s) })
}
