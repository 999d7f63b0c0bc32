package pipenet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/p2p/rpc"
	"holdfast/p2p/rpc/pipenet"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

func key(b byte) ident.PublicKey { return ident.NewPrivateKey([32]byte{b}).Public() }

// TestBytes: what is written in any pieces is read in any pieces.
func TestBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := pipenet.Pipe(key(1), key(2))
		sizes := rapid.SliceOfN(rapid.IntRange(0, 3*pipenet.Window/2), 0, 3).Draw(t, "writes")
		piece := rapid.IntRange(10_000, 2*pipenet.Window).Draw(t, "read")
		var want []byte
		for i, n := range sizes {
			want = append(want, bytes.Repeat([]byte{byte(i), byte(n)}, n/2)...)
		}
		go func() {
			rest := want
			for _, n := range sizes {
				n = min(n/2*2, len(rest))
				_, _ = a.Write(rest[:n])
				rest = rest[n:]
			}
			_ = a.CloseWrite()
		}()
		var got []byte
		p := make([]byte, piece)
		for {
			n, err := b.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes of %d, or others", len(got), len(want))
		}
	})
}

func TestWindowAndDeadlines(t *testing.T) {
	a, b := pipenet.Pipe(key(1), key(2))
	_ = a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	n, err := a.Write(make([]byte, 2*pipenet.Window))
	if n != pipenet.Window || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write into a full window: %d, %v", n, err)
	}
	_ = b.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := io.Copy(io.Discard, b); n != 0 && err == nil {
		t.Errorf("read: %d, %v", n, err)
	}
	_ = b.SetReadDeadline(time.Time{})
	_ = a.SetWriteDeadline(time.Time{})
	woken := make(chan error)
	go func() { _, err := a.Read(make([]byte, 1)); woken <- err }()
	_ = a.SetReadDeadline(time.Unix(1, 0)) // also wakes who already waits
	if err := <-woken; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestResetDropsWhatWasNotRead(t *testing.T) {
	a, b := pipenet.Pipe(key(1), key(2))
	_, _ = a.Write([]byte("x"))
	a.Reset()
	if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, pipenet.ErrReset) {
		t.Error(n, err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, pipenet.ErrReset) {
		t.Error(err)
	}
}

func TestCloseKeepsWhatWasWritten(t *testing.T) {
	a, b := pipenet.Pipe(key(1), key(2))
	_, _ = a.Write([]byte("x"))
	_ = a.Close()
	if p, err := io.ReadAll(b); err != nil || string(p) != "x" {
		t.Error(p, err)
	}
	if _, err := b.Write([]byte("x")); err == nil {
		t.Error("nobody reads that")
	}
}

func TestHosts(t *testing.T) {
	net := pipenet.New()
	a, b := net.Host(key(1)), net.Host(key(2))
	seen := make(chan ident.PublicKey, 1)
	a.Handle("x", func(ctx context.Context, s rpc.Stream) {
		seen <- s.Remote()
		<-ctx.Done()
	})
	s, err := b.Open(t.Context(), key(1), "x")
	if err != nil || s.Remote() != key(1) || <-seen != key(2) {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to       byte
		protocol string
	}{{1, "y"}, {9, "x"}} {
		if _, err := b.Open(t.Context(), key(c.to), c.protocol); !errors.Is(err, pipenet.ErrUnreachable) {
			t.Error(c, err)
		}
	}
	a.Unplug()
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, pipenet.ErrReset) {
		t.Error(err)
	}
	if _, err := b.Open(t.Context(), key(1), "x"); !errors.Is(err, pipenet.ErrUnreachable) {
		t.Error(err)
	}
	a.Plug()
	if _, err := b.Open(t.Context(), key(1), "x"); err != nil {
		t.Error(err)
	}
	a.Close()
}
