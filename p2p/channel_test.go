package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// noise makes bytes that are unlike those of another seed.
func noise(n int, seed uint64) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	p := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(p)
	return p
}

// counting is a connection that counts calls and keeps what was written.
type counting struct {
	net.Conn
	mu     sync.Mutex
	out    bytes.Buffer
	writes int
	fail   error
	in     io.Reader
	reads  int
}

func (w *counting) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.fail != nil {
		return 0, w.fail
	}
	return w.out.Write(p)
}

func (w *counting) Read(p []byte) (int, error) {
	w.reads++
	return w.in.Read(p)
}

// Whatever is written while the connection is held arrives in its order, in few calls,
// and all of it with the release.
func TestBatchedWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w := &counting{}
	b := &batched{Conn: w}
	var want bytes.Buffer
	for range 200 {
		b.hold()
		before, total := w.writes, 0
		for range r.IntN(8) {
			p := noise(r.IntN(3*batchSize/2), r.Uint64())
			want.Write(p)
			total += len(p)
			if n, err := b.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := b.release(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(w.out.Bytes(), want.Bytes()) {
			t.Fatal("what was written is not what went out")
		}
		if most := 2*(total/batchSize) + 1; w.writes-before > most {
			t.Fatalf("%d calls for %d bytes", w.writes-before, total)
		}
		if b.out != nil {
			t.Fatal("a buffer is kept")
		}
		w.out.Reset()
		want.Reset()
	}
	if n, err := b.Write([]byte("handshake")); n != 9 || err != nil || w.out.String() != "handshake" {
		t.Errorf("a write that nobody holds: %d, %v, %q", n, err, w.out.String())
	}
}

// A failure is told by the write that caused it, or by the release, and by all that
// come after: what is lost in the middle cannot be made up for.
func TestBatchedWriteFails(t *testing.T) {
	broken := errors.New("broken")
	w := &counting{fail: broken}
	b := &batched{Conn: w}
	b.hold()
	if _, err := b.Write([]byte("x")); err != nil {
		t.Errorf("nothing was sent yet: %v", err)
	}
	if err := b.release(); !errors.Is(err, broken) {
		t.Errorf("release: %v", err)
	}
	w.fail = nil
	b.hold()
	if _, err := b.Write([]byte("y")); !errors.Is(err, broken) {
		t.Errorf("after a failure: %v", err)
	}
	if err := b.release(); !errors.Is(err, broken) || w.out.Len() != 0 {
		t.Errorf("after a failure: %v, %d bytes", err, w.out.Len())
	}
}

// bursts is a source that gives at most so much at a time.
type bursts struct {
	r    io.Reader
	rand *rand.Rand
}

func (b *bursts) Read(p []byte) (int, error) {
	if b.rand.IntN(8) == 0 {
		return 0, nil // allowed, if discouraged
	}
	return b.r.Read(p[:min(len(p), 1+b.rand.IntN(2*batchSize))])
}

func TestBatchedReads(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	want := noise(3<<20, 3)
	for range 20 {
		b := &batched{Conn: &counting{in: &bursts{bytes.NewReader(want), r}}}
		var got []byte
		for {
			p := make([]byte, 1+r.IntN(20<<10))
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
			t.Fatalf("%d bytes came, or others than the %d sent", len(got), len(want))
		}
		if b.in != nil {
			t.Error("a buffer is kept")
		}
	}
	// Records of 16 KiB out of a full pipe: a call for several of them.
	w := &counting{in: bytes.NewReader(want)}
	if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{&batched{Conn: w}}, make([]byte, 16<<10)); err != nil || w.reads > 2*len(want)/batchSize {
		t.Errorf("%d calls for %d bytes, %v", w.reads, len(want), err)
	}
}

// Many streams in both directions over one connection: nothing is lost, mixed up or
// left waiting in a buffer.
func TestChannelUnderLoad(t *testing.T) {
	node, client := build(t), build(t, asClient(), withNetwork(testNetwork))
	node.Handle("echo/1", func(_ context.Context, s Stream) {
		_, _ = io.Copy(s, s)
	})
	if err := client.Learn(node.ID(), node.Addrs()); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(i)))
			s, err := client.Open(t.Context(), node.ID(), "echo/1")
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Reset()
			for range 20 {
				_ = s.SetReadDeadline(time.Now().Add(patience))
				_ = s.SetWriteDeadline(time.Now().Add(patience))
				p := noise(1+r.IntN(200<<10), r.Uint64())
				sent := make(chan error, 1)
				go func() { _, err := s.Write(p); sent <- err }()
				got := make([]byte, len(p))
				if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, p) {
					t.Errorf("%d bytes: %v", len(p), err)
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
