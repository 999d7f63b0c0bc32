package scenario

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// noise makes incompressible bytes; equal seeds give equal bytes.
func noise(n int, seed byte) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{seed, 5})
	_, _ = r.Read(p)
	return p
}

// feed is a backup of a stream that the test writes piece by piece, so that it knows
// where the backup is.
type feed struct {
	t    *testing.T
	pipe *io.PipeWriter
	data []byte // written so far
	ends chan Report

	mu     sync.Mutex
	status Status
	news   chan struct{} // closed by the next status line
}

func (w *World) feed(t *testing.T) *feed {
	t.Helper()
	r, pipe := io.Pipe()
	f := &feed{t: t, pipe: pipe, ends: make(chan Report, 1), news: make(chan struct{})}
	run, err := w.Machine.Start(t.Context(), Call{Args: []string{"backup", "--stdin-name", "stream"}, Stdin: r, Status: f.take})
	must(t, err)
	go func() {
		report, err := run.Wait()
		if err != nil {
			t.Error(err)
		}
		r.Close()
		f.ends <- report
	}()
	t.Cleanup(func() { pipe.Close() })
	return f
}

func (f *feed) take(s Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = s
	close(f.news)
	f.news = make(chan struct{})
}

// write gives the backup its next bytes.
func (f *feed) write(p []byte) {
	f.t.Helper()
	f.data = append(f.data, p...)
	if _, err := f.pipe.Write(p); err != nil {
		f.t.Fatalf("the backup reads no more: %v, %v", err, <-f.ends)
	}
}

// placed waits until so many bytes have been placed.
func (f *feed) placed(n int64) {
	f.t.Helper()
	for p := newPatience(); ; {
		f.mu.Lock()
		have, news := f.status.Placed, f.news
		f.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-news:
		case <-time.After(breath):
		case r := <-f.ends:
			f.t.Fatalf("the backup has ended with %d of %d bytes placed: %v", have, n, r)
		}
		if !p.lasts(have) {
			f.t.Fatalf("%d of %d bytes were placed, and for %v no more", have, n, stall)
		}
	}
}

// end gives the backup no more, and returns how it went.
func (f *feed) end() Report {
	f.t.Helper()
	must(f.t, f.pipe.Close())
	return <-f.ends
}

// completeStream backs up a stream until nothing of it is missing: see complete.
func (w *World) completeStream(t *testing.T, data []byte) Report {
	t.Helper()
	for p := newPatience(); ; {
		f := w.feed(t)
		f.write(data)
		r := f.end()
		switch {
		case r.Code == 0:
			return r
		case !r.Was(4, 20) || !p.lasts(int64(r.Durability.MinShards), int64(r.Acked)):
			t.Fatalf("a complete backup: %v", r)
		}
		t.Logf("once more: %v", r)
	}
}

// wantStream checks that a snapshot of a stream comes back.
func (w *World) wantStream(t *testing.T, id string, want []byte) {
	t.Helper()
	d := w.dump(t, id)
	got, err := io.ReadAll(d.out)
	must(t, err)
	d.wantEnd()
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes came back, not the %d that went in", len(got), len(want))
	}
}

// dumping is a snapshot's stream that the test reads piece by piece.
type dumping struct {
	t    *testing.T
	out  *io.PipeReader
	ends chan Report
}

func (w *World) dump(t *testing.T, id string) *dumping {
	t.Helper()
	out, in := io.Pipe()
	run, err := w.Machine.Start(context.Background(), Call{Args: []string{"dump", id + ":/stream"}, Stdout: in})
	must(t, err)
	d := &dumping{t: t, out: out, ends: make(chan Report, 1)}
	go func() {
		report, err := run.Wait()
		in.CloseWithError(err)
		d.ends <- report
	}()
	t.Cleanup(func() { out.Close() })
	return d
}

// read reads n bytes.
func (d *dumping) read(n int) []byte {
	d.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(d.out, p); err != nil {
		d.t.Fatalf("%v: %v", err, <-d.ends)
	}
	return p
}

func (d *dumping) wantEnd() {
	d.t.Helper()
	if r := <-d.ends; r.Code != 0 {
		d.t.Fatal(r)
	}
}
