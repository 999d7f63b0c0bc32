package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// Exchange is one stream as the server of a protocol sees it.
type Exchange struct {
	link
	gate     *Gate
	reserved int64
	expected []uint64 // lengths of the parts behind this request
	pending  int64    // raw bytes of this request that were not read yet
	failed   bool     // the stream is beyond answering
	verb     string   // of this request; Unknown until the protocol has understood it
	arrived  time.Time
}

// Unknown is the verb of a request that the protocol does not have.
const Unknown = "unknown"

// Serve answers one request after another until the peer closes the stream, breaks
// the protocol, or is silent for too long. For each request frame it calls answer,
// which reads what follows the frame by Expect and Parts or Row, and answers by Answer or
// Stream. If answer returns an error instead, the peer is sent its number; if raw
// bytes are unread then, or the frame was not understood, the stream ends after it.
// An error after the answer has begun, or after the end of ctx, resets the stream.
func (g *Gate) Serve(ctx context.Context, s Stream, refusals Refusals, answer func(ctx context.Context, x *Exchange, request []byte) error) {
	stop := context.AfterFunc(ctx, s.Reset)
	defer stop()
	x := &Exchange{link: newLink(s, g.limits), gate: g}
	for x.next(ctx, refusals, answer) {
	}
}

// next serves one request and reports whether another one may follow.
func (x *Exchange) next(ctx context.Context, refusals Refusals, answer func(context.Context, *Exchange, []byte) error) bool {
	x.in.allow(x.limits.Idle)
	request, err := x.frame()
	if err == io.EOF {
		_ = x.stream.Close()
		return false
	}
	if err != nil {
		x.stream.Reset()
		return false
	}
	x.out.begin()
	x.expected, x.pending = nil, 0
	x.verb, x.arrived = Unknown, time.Now()
	err = x.answer(ctx, request, answer)
	switch {
	case x.failed, err == nil && x.pending > 0, err != nil && (x.out.written || ctx.Err() != nil):
		x.stream.Reset()
		return false
	case err == nil:
		x.answered(0)
		return true
	}
	last := x.pending > 0 || errors.Is(err, ErrBadRequest) || errors.Is(err, ErrBusy)
	refusal, number := refusals.pack(err, last)
	if x.limits.Refused != nil {
		x.limits.Refused(number)
	}
	if x.send(wire.AppendFrame(nil, refusal)) != nil {
		x.stream.Reset()
		return false
	}
	x.answered(number)
	if last {
		x.linger()
	}
	return !last
}

// Named says what the request is, for whoever counts. The name must be one of the
// protocol's own, never what the peer has sent.
func (x *Exchange) Named(verb string) { x.verb = verb }

func (x *Exchange) answered(number uint64) {
	if x.limits.Answered != nil {
		x.limits.Answered(x.verb, number, time.Since(x.arrived))
	}
}

// answer runs the protocol's function within the gate's limits.
func (x *Exchange) answer(ctx context.Context, request []byte, answer func(context.Context, *Exchange, []byte) error) error {
	if !x.gate.take(x.Peer(), 1, 0) {
		return ErrBusy
	}
	defer func() {
		x.gate.give(x.Peer(), 1, x.reserved)
		x.reserved = 0
	}()
	return answer(ctx, x, request)
}

// linger waits until the peer has seen the last answer: a reset that came at once
// would take the answer with it. Meanwhile what still comes is forgotten.
func (x *Exchange) linger() {
	_ = x.stream.CloseWrite()
	x.in.allowNoMore(x.limits.Linger)
	_, _ = io.CopyN(io.Discard, x.r, x.limits.Drain)
	x.stream.Reset()
}

// Peer returns who asks.
func (x *Exchange) Peer() ident.PublicKey { return x.stream.Remote() }

// Hold counts n bytes of memory that the answer takes until it has been sent, or
// returns ErrBusy.
func (x *Exchange) Hold(n int64) error { return x.reserve(n) }

// reserve asks the gate for room.
func (x *Exchange) reserve(n int64) error {
	if !x.gate.take(x.Peer(), 0, n) {
		return ErrBusy
	}
	x.reserved += n
	return nil
}

// Expect says how many raw bytes follow the request's frame, in parts. It is called
// before the request is judged: only so does a refusal leave the stream in order.
// Lengths out of bounds are a bad request.
func (x *Exchange) Expect(b Bounds, lengths ...uint64) error {
	if err := b.Check(lengths); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	x.expected = lengths
	for _, n := range lengths {
		x.pending += int64(n)
	}
	return nil
}

// Parts reads the expected parts. Their memory is counted until the request is
// answered.
func (x *Exchange) Parts() ([][]byte, error) {
	x.in.allow(x.limits.Progress)
	parts, err := x.parts(x.expected, x.reserve)
	if err != nil {
		x.failed = !errors.Is(err, ErrBusy)
		return nil, err
	}
	x.pending = 0
	return parts, nil
}

// Row returns all the expected bytes as a reader. When the peer breaks off in it,
// the stream is reset whatever is answered.
func (x *Exchange) Row() io.Reader {
	x.in.allow(x.limits.Progress)
	return (*rowReader)(x)
}

// Unread says how many expected bytes were not read yet. Who answers yes has read
// them all.
func (x *Exchange) Unread() int64 { return x.pending }

type rowReader Exchange

func (r *rowReader) Read(p []byte) (int, error) {
	if r.pending == 0 {
		return 0, io.EOF
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.pending)])
	r.pending -= int64(n)
	if err != nil && r.pending > 0 {
		r.failed = true
		return n, fault(unexpected(err))
	}
	return n, nil
}

// Answer sends the answer's frame and the parts behind it.
func (x *Exchange) Answer(frame any, parts ...[]byte) error {
	p, err := wire.Encode(frame)
	if err != nil {
		return err
	}
	if len(p) > MaxFrame {
		return wire.ErrTooLong
	}
	pieces := append([][]byte{wire.AppendFrame(nil, p)}, parts...)
	if err := x.send(pieces...); err != nil {
		x.failed = true
		return err
	}
	return nil
}
