package shardrpctest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// Fault is a way in which a node can misbehave.
type Fault int32

// The faults. What a client's error wraps then stands behind each.
const (
	None       Fault = iota
	Dead             // cannot be reached: pipenet.ErrUnreachable, or rpc.ErrBroken for who was talking to it
	Silent           // takes requests and does not answer: rpc.ErrTimeout
	Slow             // sends a byte in a millisecond: rpc.ErrTimeout
	Torn             // breaks off in the middle of what is longer than 64 bytes: rpc.ErrBroken
	Garbage          // answers with noise: rpc.ErrProtocol
	WrongBytes       // sends payloads and slices with one bit flipped: shardrpc.ErrLied
	WrongSize        // sends payloads that are a byte shorter: shardrpc.ErrLied
	Lost             // says that it has everything, and gives nothing: shardrpc.ErrNotFound
	Corrupt          // says that all its copies are bad: shardrpc.ErrCorrupt
	Forgetful        // says that it has put a row, and has not
	Full             // refuses rows: shardrpc.ErrFull
	Paused           // refuses everything: shardrpc.ErrPaused
	Busy             // refuses everything: shardrpc.ErrBusy
	Forbidden        // refuses everything: shardrpc.ErrForbidden
	Endless          // sends zeros without end after half of what is longer than 64 bytes: shardrpc.ErrLied
	Late             // reads all of a row and then refuses it: shardrpc.ErrFull; breaks off at the last byte of what it sends: rpc.ErrBroken
)

var faultNames = [...]string{"none", "dead", "silent", "slow", "torn", "garbage", "wrong bytes", "wrong size",
	"lost", "corrupt", "forgetful", "full", "paused", "busy", "forbidden", "endless", "late"}

func (f Fault) String() string { return faultNames[f] }

// Faults lists all of them but None.
func Faults() []Fault {
	var all []Fault
	for f := Dead; f <= Late; f++ {
		all = append(all, f)
	}
	return all
}

// refusal is the error that a fault answers every request with, if it is of that
// kind.
func (f Fault) refusal() error {
	switch f {
	case Paused:
		return shardrpc.ErrPaused
	case Busy:
		return shardrpc.ErrBusy
	case Forbidden:
		return shardrpc.ErrForbidden
	}
	return nil
}

// faulty is a session of a node that may misbehave; it asks its node before each
// request.
type faulty struct {
	shardrpc.Session
	node *Node
}

// begin waits as long as the node is told to, for ever if it is silent.
func (s *faulty) begin(ctx context.Context) (Fault, error) {
	if err := s.node.wait(ctx); err != nil {
		return None, err
	}
	f := s.node.Fault()
	return f, f.refusal()
}

// Put implements shardrpc.Session.
func (s *faulty) Put(ctx context.Context, nonce shardrpc.Nonce, index int, descriptor []byte, row io.Reader) error {
	s.node.puts.Add(1)
	f, err := s.begin(ctx)
	switch {
	case err != nil:
		return err
	case f == Full:
		return shardrpc.ErrFull
	case f == Forgetful:
		_, err := io.Copy(io.Discard, row)
		return err
	case f == Late:
		_, err := io.Copy(io.Discard, row)
		return errors.Join(err, shardrpc.ErrFull)
	}
	return s.Session.Put(ctx, nonce, index, descriptor, row)
}

// Get implements shardrpc.Session.
func (s *faulty) Get(ctx context.Context, ref shardrpc.Ref) (shardrpc.Payload, error) {
	s.node.gets.Add(1)
	f, err := s.begin(ctx)
	if err == nil {
		err = f.copies()
	}
	if err != nil {
		return nil, err
	}
	p, err := s.Session.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &faultyPayload{p, f}, nil
}

// copies is what a node says about its copies.
func (f Fault) copies() error {
	switch f {
	case Lost:
		return shardrpc.ErrNotFound
	case Corrupt:
		return shardrpc.ErrCorrupt
	}
	return nil
}

// Slice implements shardrpc.Session.
func (s *faulty) Slice(ctx context.Context, ref shardrpc.Ref, w io.Writer, off, n int64) error {
	s.node.ranges.Add(1)
	f, err := s.begin(ctx)
	if err == nil {
		err = f.copies()
	}
	if err != nil {
		return err
	}
	if f != Late {
		return s.Session.Slice(ctx, ref, f.spoil(w), off, n)
	}
	var all bytes.Buffer
	if err := s.Session.Slice(ctx, ref, &all, off, n); err != nil {
		return err
	}
	return breakOff(w, all.Bytes())
}

// breakOff sends all but the last byte, and then says that the copy is bad.
func breakOff(w io.Writer, p []byte) error {
	_, err := w.Write(p[:len(p)-1])
	return errors.Join(err, shardrpc.ErrCorrupt)
}

// Prove implements shardrpc.Prover.
func (s *faulty) Prove(ctx context.Context, ref shardrpc.Ref, group int64, w io.Writer) error {
	s.node.audits.Add(1)
	f, err := s.begin(ctx)
	if err == nil {
		err = f.copies()
	}
	if err != nil {
		return err
	}
	return s.Session.Prove(ctx, ref, group, f.spoil(w))
}

// Inventory implements shardrpc.Prover.
func (s *faulty) Inventory(ctx context.Context, nonce shardrpc.Nonce) (ident.Signed, error) {
	if _, err := s.begin(ctx); err != nil {
		return ident.Signed{}, err
	}
	return s.Session.Inventory(ctx, nonce)
}

// InventoryBucket implements shardrpc.Prover.
func (s *faulty) InventoryBucket(ctx context.Context, bucket byte, after shardrpc.Ref) ([]shardrpc.Ref, bool, error) {
	if _, err := s.begin(ctx); err != nil {
		return nil, false, err
	}
	return s.Session.InventoryBucket(ctx, bucket, after)
}

// Has implements shardrpc.Session.
func (s *faulty) Has(ctx context.Context, refs []shardrpc.Ref) ([]bool, error) {
	f, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	has, err := s.Session.Has(ctx, refs)
	for i := range has {
		has[i] = has[i] || f == Lost
	}
	return has, err
}

// Receipt implements shardrpc.Session.
func (s *faulty) Receipt(ctx context.Context, nonce shardrpc.Nonce, refs []shardrpc.Ref) (ident.Signed, error) {
	if _, err := s.begin(ctx); err != nil {
		return ident.Signed{}, err
	}
	return s.Session.Receipt(ctx, nonce, refs)
}

// Info implements shardrpc.Session.
func (s *faulty) Info(ctx context.Context, devices ...ident.PublicKey) (shardrpc.Info, error) {
	if _, err := s.begin(ctx); err != nil {
		return shardrpc.Info{}, err
	}
	return s.Session.Info(ctx, devices...)
}

type faultyPayload struct {
	shardrpc.Payload
	fault Fault
}

func (p *faultyPayload) Size() int64 {
	if p.fault == WrongSize {
		return p.Payload.Size() - 1
	}
	return p.Payload.Size()
}

func (p *faultyPayload) WriteTo(w io.Writer) (int64, error) {
	switch p.fault {
	case WrongSize:
		return io.CopyN(w, rand.Reader, p.Size())
	case Late:
		var all bytes.Buffer
		n, err := p.Payload.WriteTo(&all)
		if err == nil {
			err = breakOff(w, all.Bytes())
		}
		return n, err
	}
	return p.Payload.WriteTo(p.fault.spoil(w))
}

// spoil changes a bit in every piece, if that is the fault.
func (f Fault) spoil(w io.Writer) io.Writer {
	if f != WrongBytes {
		return w
	}
	return writerFunc(func(p []byte) (int, error) {
		p = bytes.Clone(p)
		p[len(p)-1] ^= 1
		return w.Write(p)
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
