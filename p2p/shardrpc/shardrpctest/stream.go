package shardrpctest

import (
	"context"
	"io"
	"time"

	"holdfast/p2p/rpc"
	"holdfast/p2p/rpc/pipenet"
)

// registrar puts the faults that are below the protocol under its streams.
type registrar struct{ node *Node }

func (r registrar) Handle(protocol string, f func(ctx context.Context, s rpc.Stream)) {
	r.node.host.Handle(protocol, func(ctx context.Context, s rpc.Stream) {
		if r.node.Fault() == Garbage {
			noise(s)
			return
		}
		f(ctx, &stream{s, r.node})
	})
}

// noise is what a node of fault Garbage answers.
func noise(s rpc.Stream) {
	_, _ = s.Read(make([]byte, 1))
	_, _ = s.Write([]byte("\x20these are no frames, are they?..."))
	_ = s.CloseWrite()
	_, _ = io.Copy(io.Discard, s)
}

type stream struct {
	rpc.Stream
	node *Node
}

func (s *stream) Write(p []byte) (int, error) {
	switch f := s.node.Fault(); {
	case f == Slow:
		return s.drip(p)
	case f == Endless && len(p) > 64:
		return s.flood(p[:len(p)/2])
	case f == Torn && len(p) > 64:
		_, _ = s.Stream.Write(p[:len(p)/2])
		s.Reset()
		return 0, pipenet.ErrReset
	}
	return s.Stream.Write(p)
}

func (s *stream) drip(p []byte) (int, error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range p {
		<-tick.C
		if _, err := s.Stream.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// flood goes on after p until the stream is reset.
func (s *stream) flood(p []byte) (int, error) {
	_, err := s.Stream.Write(p)
	zeros := make([]byte, 64<<10)
	for err == nil {
		_, err = s.Stream.Write(zeros)
	}
	return 0, err
}
