package p2p

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// echo makes h send back whatever comes.
func echo(h *Host) {
	h.Handle("echo/1", func(_ context.Context, s Stream) { io.Copy(s, s) })
}

func TestEcho(t *testing.T) {
	nodes := cluster(t, 2)
	echo(nodes[0])
	s, err := nodes[1].Open(t.Context(), nodes[0].ID(), "echo/1")
	if err != nil {
		t.Fatal(err)
	}
	if s.Remote() != nodes[0].ID() {
		t.Errorf("remote %v", s.Remote())
	}
	text := strings.Repeat("holdfast ", 1<<18)
	go func() {
		io.WriteString(s, text)
		s.CloseWrite()
	}()
	got, err := io.ReadAll(s)
	if err != nil || string(got) != text {
		t.Errorf("%d bytes of %d came back, %v", len(got), len(text), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A client has no certificate and no address, and speaks to nodes all the same.
func TestClientOpens(t *testing.T) {
	node := start(t)
	var who []string
	node.Handle("who/1", func(_ context.Context, s Stream) { who = append(who, s.Remote().String()) })
	c := start(t, asClient(), withBootstrap(node.Addrs()...))
	s, err := c.Open(t.Context(), node.ID(), "who/1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Write([]byte("x"))
	s.SetReadDeadline(time.Now().Add(patience))
	if _, err := s.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	if len(who) != 1 || who[0] != c.ID().String() {
		t.Errorf("the node saw %v", who)
	}
}

func TestTooManyStreams(t *testing.T) {
	nodes := cluster(t, 2)
	release := make(chan struct{})
	nodes[0].Handle("slow/1", func(ctx context.Context, s Stream) {
		s.Write([]byte{1})
		select {
		case <-release:
		case <-ctx.Done():
		}
	})
	ask := func() (Stream, error) {
		s, err := nodes[1].Open(t.Context(), nodes[0].ID(), "slow/1")
		if err != nil {
			return nil, err
		}
		s.SetReadDeadline(time.Now().Add(patience))
		s.Write([]byte{0})
		_, err = io.ReadFull(s, make([]byte, 1))
		return s, err
	}
	for i := range streamsPerPeer {
		s, err := ask()
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		defer s.Reset()
	}
	if _, err := ask(); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	close(release)
	until(t, "room again", func() bool {
		s, err := ask()
		if err == nil {
			s.Reset()
		}
		return err == nil
	})
}

func TestOpenFails(t *testing.T) {
	nodes := cluster(t, 2)
	if _, err := nodes[1].Open(t.Context(), nodes[0].ID(), "nothing/1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a protocol that is not spoken: %v", err)
	}
	if _, err := nodes[1].Open(t.Context(), newKey(t).Public(), "echo/1"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a node that does not exist: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nodes[1].Open(ctx, newKey(t).Public(), "echo/1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	nodes[0].Close()
	if _, err := nodes[1].Open(t.Context(), nodes[0].ID(), "echo/1"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a node that is gone: %v", err)
	}
	if _, err := build(t, asClient()).Open(t.Context(), nodes[0].ID(), "echo/1"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a client that knows nobody: %v", err)
	}
}

// What ends a stream can be told apart.
func TestStreamErrors(t *testing.T) {
	nodes := cluster(t, 2, withTiming(func(tm *timing) { tm.handler = 50 * time.Millisecond }))
	expired := make(chan error, 1)
	nodes[0].Handle("silent/1", func(ctx context.Context, s Stream) {
		_, err := s.Read(make([]byte, 2))
		if err == nil {
			_, err = s.Read(make([]byte, 2))
		}
		expired <- err
		s.Reset()
	})
	s, err := nodes[1].Open(t.Context(), nodes[0].ID(), "silent/1")
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte{1})
	if err := <-expired; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the handler waits for ever: %v", err)
	}
	if _, err := io.ReadAll(s); !errors.Is(err, ErrReset) {
		t.Errorf("a reset stream: %v", err)
	}
	nodes[0].Handle("hang/1", func(ctx context.Context, s Stream) {
		s.Write([]byte{1})
		<-ctx.Done()
	})
	s, err = nodes[1].Open(t.Context(), nodes[0].ID(), "hang/1")
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte{1})
	io.ReadFull(s, make([]byte, 1))
	s.SetReadDeadline(time.Now())
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
	s.SetReadDeadline(time.Now().Add(patience))
	go nodes[0].Close()
	if _, err := io.ReadAll(s); !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrReset) {
		t.Errorf("a node that goes away: %v", err)
	}
}

// A handler may be set before a client knows the network's name.
func TestHandleBeforeTheNetworkIsKnown(t *testing.T) {
	node := start(t)
	c := build(t, asClient(), withBootstrap(node.Addrs()...))
	echo(c)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := node.Open(t.Context(), c.ID(), "echo/1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	io.WriteString(s, "back")
	s.CloseWrite()
	if got, err := io.ReadAll(s); err != nil || string(got) != "back" {
		t.Errorf("%q, %v", got, err)
	}
}
