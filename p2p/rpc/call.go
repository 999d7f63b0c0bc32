package rpc

import (
	"bufio"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/wire"
)

// Call is a stream on which one request after another is asked. Pool.Do hands it
// to a function that asks one, reads all of its answer, and then says Settle; a
// call that was not settled is reset.
type Call struct {
	link
	greeting [][]byte // frames and parts that go before the first request; nil once they are answered
	heard    bool     // an answer has come to this request
	last     bool     // the peer reads no more requests
	settled  bool
}

func newCall(s Stream, l Limits, greeting [][]byte) *Call {
	return &Call{link: newLink(s, l), greeting: greeting}
}

// Ask sends a request frame with the raw bytes behind it and reads the answer's
// frame into answer, a pointer to a struct, or nil if the answer says nothing but
// yes. The answer is read while the request is still being written, so that an
// early refusal stops the writing. The error is a *Refusal, or wraps ErrTimeout,
// ErrBroken or ErrProtocol.
func (c *Call) Ask(refusals Refusals, request, answer any, raw ...[]byte) error {
	c.heard, c.settled = false, false
	p, err := wire.Encode(request)
	if err != nil {
		return err
	}
	if len(p) > MaxFrame {
		return fmt.Errorf("send request: %w", wire.ErrTooLong)
	}
	pieces := append(append([][]byte{}, c.greeting...), wire.AppendFrame(nil, p))
	pieces = append(pieces, raw...)
	if size(pieces) <= oneWrite {
		return c.askShort(refusals, answer, pieces)
	}
	return c.askLong(refusals, answer, pieces)
}

func (c *Call) askShort(refusals Refusals, answer any, pieces [][]byte) error {
	sendErr := c.send(pieces...)
	if sendErr != nil {
		c.in.allow(c.limits.Linger)
	} else {
		c.in.allow(c.limits.Answer)
	}
	return c.outcome(c.hear(refusals, answer), sendErr)
}

// askLong writes in a goroutine of its own and waits for it before it returns.
func (c *Call) askLong(refusals Refusals, answer any, pieces [][]byte) error {
	c.in.allow(0) // the deadline begins when everything is written
	sent := make(chan error, 1)
	go func() {
		err := c.send(pieces...)
		// What was written may still be on its way at the slowest pace that is allowed.
		wait := c.limits.Answer + c.limits.Progress
		if err != nil {
			wait = c.limits.Linger
		}
		_ = c.stream.SetReadDeadline(after(wait))
		sent <- err
	}()
	err := c.hear(refusals, answer)
	select {
	case sendErr := <-sent:
		return c.outcome(err, sendErr)
	default:
	}
	// A peer that has answered, and will read the next request, has read all of this
	// one: the last write is returning.
	if err == nil || c.refusedAfterAll(err) {
		select {
		case sendErr := <-sent:
			return c.outcome(err, sendErr)
		case <-time.After(c.limits.Linger):
			err = fmt.Errorf("%w: it has answered what it has not read", ErrProtocol)
		}
	}
	c.stream.Reset()
	_ = c.stream.SetWriteDeadline(time.Unix(1, 0))
	<-sent
	return err
}

// refusedAfterAll reports whether the peer has refused a request that it has read
// to its end, so that the stream is between two requests.
func (c *Call) refusedAfterAll(err error) bool {
	var refusal *Refusal
	return !c.last && errors.As(err, &refusal)
}

// outcome decides which of two errors is the cause, and settles a refusal that
// leaves the stream between two requests. What the peer has said tells more than
// that it could not be written to.
func (c *Call) outcome(err, sendErr error) error {
	if sendErr == nil {
		c.settled = c.refusedAfterAll(err)
		return err
	}
	if err == nil || errors.Is(err, ErrBroken) || errors.Is(err, ErrTimeout) {
		return sendErr
	}
	return err
}

// hear reads the greeting's answer, if that is still to come, and the request's.
func (c *Call) hear(refusals Refusals, answer any) error {
	if c.greeting != nil {
		if err := c.status(refusals, nil); err != nil {
			c.last = true
			return err
		}
		c.greeting = nil
	}
	return c.status(refusals, answer)
}

func (c *Call) status(refusals Refusals, answer any) error {
	p, err := c.frame()
	if err != nil {
		return fault(unexpected(err))
	}
	var s status
	if err := wire.Decode(p, &s); err != nil {
		return fault(err)
	}
	c.heard, c.last = true, s.Last
	if err := refusals.unpack(s); err != nil {
		return err
	}
	if answer != nil {
		return fault(wire.Decode(p, answer))
	}
	return nil
}

// Parts reads the parts behind an answer.
func (c *Call) Parts(lengths []uint64, b Bounds) ([][]byte, error) {
	if err := b.Check(lengths); err != nil {
		return nil, err
	}
	c.in.allow(c.limits.Progress)
	return c.parts(lengths, func(int64) error { return nil })
}

// Raw gives the raw bytes behind an answer to whoever knows how many they are. Its
// errors are given to Fault.
func (c *Call) Raw() *bufio.Reader {
	c.in.allow(c.limits.Progress)
	return c.r
}

// Fault says what an error of Raw means: ErrTimeout or ErrBroken.
func (c *Call) Fault(err error) error {
	return fault(unexpected(err))
}

// Settle says that the whole answer was read, so that the stream can be used again.
func (c *Call) Settle() { c.settled = !c.last }

// stale reports whether err is what an idle stream ends with that the peer has
// closed meanwhile: then the request may not have arrived.
func (c *Call) stale(err error) bool { return !c.heard && errors.Is(err, ErrBroken) }
