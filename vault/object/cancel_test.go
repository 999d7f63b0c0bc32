package object

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	. "holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/seal"
)

// endless is a stream without an end. It says when it has been read for a while.
type endless struct {
	left  int
	far   chan struct{}
	block []byte
	count uint64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.block == nil {
		e.block = noise(64<<10, 1)
	}
	e.count++
	binary.LittleEndian.PutUint64(e.block, e.count)
	n := copy(p, e.block)
	if e.left >= 0 {
		if e.left -= n; e.left < 0 {
			close(e.far)
		}
	}
	return n, nil
}

// With all holders silent the data is held back; the end of any context lets
// everything go at once, and leaves no goroutine and no buffer behind.
func TestCancelPut(t *testing.T) {
	stop := errors.New("interrupted")
	for name, end := range map[string]func(w *Writer, cancelFile, cancelAll context.CancelCauseFunc){
		"file's context":   func(_ *Writer, cancel, _ context.CancelCauseFunc) { cancel(stop) },
		"commit's context": func(_ *Writer, _, cancel context.CancelCauseFunc) { cancel(stop) },
		"abort":            func(w *Writer, _, _ context.CancelCauseFunc) { w.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
			b.breakAll(Silent, 0, 1, 2, 3)
			all, cancelAll := context.WithCancelCause(t.Context())
			one, cancelOne := context.WithCancelCause(t.Context())
			defer cancelAll(nil)
			w := b.writerIn(all)
			far := make(chan struct{})
			done := make(chan error, 1)
			go func() {
				_, err := w.File(one, &endless{left: 100 << 20, far: far})
				done <- err
			}()
			<-far
			end(w, cancelOne, cancelAll)
			err := <-done
			if !errors.Is(err, stop) && !errors.Is(err, ErrAborted) {
				t.Errorf("error %v", err)
			}
			w.Abort()
			b.nothingLeft(w)
			if _, err := w.File(t.Context(), bytes.NewReader(nil)); err == nil {
				t.Error("a commit that is over goes on")
			}
		})
	}
}

func (b *bed) nothingLeft(w *Writer) {
	b.t.Helper()
	for name, p := range map[string]*pool{"segments": w.sealed, "parity": w.parity, "chunks": w.chunks, "scratch": w.scratch} {
		if made, used := p.live(); made != 0 || used != 0 {
			b.t.Errorf("%s: %d buffers left, %d in use", name, made, used)
		}
	}
}

func TestCancelFlushAndFinish(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	w := b.writer()
	b.store(w, noise(1<<20, 1))
	b.breakAll(Silent, 0, 1, 2, 3)
	go cancel(stop)
	_, err := w.Flush(ctx)
	wantErr(t, err, stop)
	w.Abort()
	b.nothingLeft(w)

	b.breakAll(None, 0, 1, 2, 3)
	w = b.writer()
	b.store(w, noise(1<<20, 2))
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.breakAll(Silent, 0, 1, 2, 3)
	_, err = w.Finish(ctx, nil)
	wantErr(t, err, stop)
	b.nothingLeft(w)
}

func TestCancelGet(t *testing.T) {
	stop := errors.New("interrupted")
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	c := b.store(w, noise(34<<20, 1))
	b.finish(w)
	t.Run("in f", func(t *testing.T) {
		r := b.reader()
		err := r.Chunks(t.Context(), c.Rows, func(i int, _ []byte) error {
			if i == 3 {
				return stop
			}
			return nil
		})
		if err != stop {
			t.Errorf("error %v", err)
		}
		b.allIdle(r)
	})
	t.Run("context", func(t *testing.T) {
		r := b.reader()
		ctx, cancel := context.WithCancelCause(t.Context())
		err := r.Chunks(ctx, c.Rows, func(i int, _ []byte) error {
			cancel(stop)
			return nil
		})
		wantErr(t, err, stop)
		b.allIdle(r)
	})
	t.Run("silent holders", func(t *testing.T) {
		defer b.breakAll(None, 0, 1, 2, 3)
		for _, end := range []func(r *Reader, cancel context.CancelCauseFunc){
			func(_ *Reader, cancel context.CancelCauseFunc) { cancel(stop) },
			func(r *Reader, _ context.CancelCauseFunc) { r.Close() },
		} {
			b.breakAll(Silent, 0, 1, 2, 3)
			gets := b.node(0).Gets()
			r := b.reader()
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() { done <- r.Chunks(ctx, c.Rows, nil) }()
			until(func() bool { return b.node(0).Gets() > gets })
			end(r, cancel)
			if err := <-done; !errors.Is(err, stop) && !errors.Is(err, ErrClosed) {
				t.Errorf("error %v", err)
			}
			cancel(nil)
			b.allIdle(r)
		}
	})
	t.Run("one of two", func(t *testing.T) {
		b.breakAll(Silent, 0)
		r := b.reader()
		gets := b.node(0).Gets()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- r.Chunks(ctx, c.Rows, nil) }()
		until(func() bool { return b.node(0).Gets() > gets })
		go func() {
			second <- r.Chunks(t.Context(), c.Rows, func(int, []byte) error { return nil })
		}()
		cancel(stop)
		wantErr(t, <-first, stop)
		b.breakAll(None, 0)
		if err := <-second; err != nil {
			t.Errorf("the other one got %v", err)
		}
	})
}

// until waits for a condition that other goroutines bring about.
func until(f func() bool) {
	for !f() {
		runtime.Gosched()
	}
}

// allIdle closes a reader and checks that it has given everything back.
func (b *bed) allIdle(r *Reader) {
	b.t.Helper()
	r.Close()
	for _, c := range []*cache{r.cache, r.short} {
		if made, _ := c.buffers.live(); made != 0 {
			b.t.Errorf("%d segments left", made)
		}
	}
	if _, used := r.chunks.live(); used != 0 {
		b.t.Errorf("%d chunks left", used)
	}
	wantErr(b.t, r.Chunks(context.Background(), nil, nil), ErrClosed)
}

// A writer takes as much memory for much data as for little.
func TestMemoryOfPut(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer(func(c *WriterConfig) {
		c.Holder = func(ident.PublicKey) shardrpc.Holder { return discard{} }
	})
	for name, most := range map[*pool]int{w.sealed: 3, w.parity: 2} {
		if cap(name.free) != most {
			t.Errorf("%d buffers are allowed", cap(name.free))
		}
	}
	if _, err := w.File(t.Context(), io.LimitReader(&endless{left: -1}, 200<<20)); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, p := range []*pool{w.sealed, w.parity, w.chunks, w.scratch} {
		made, _ := p.live()
		if made > cap(p.free) {
			t.Errorf("%d buffers of %d bytes", made, p.size)
		}
		total += made * p.size
	}
	total += maxCutters * 2 * seal.MaxChunk
	if total > 260<<20 {
		t.Errorf("%d MiB in buffers", total>>20)
	}
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if made, _ := w.sealed.live(); made != 0 {
		t.Errorf("%d segments are kept for the metadata", made)
	}
	w.Abort()
	b.nothingLeft(w)
}

func TestMemoryOfGet(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	const files = 2
	contents := make([]Content, files)
	for i := range contents {
		contents[i] = b.store(w, noise(35<<20, uint64(i)))
	}
	b.finish(w)
	b.breakAll(Dead, 0, 5)
	for _, segments := range []int{1, 2} {
		r := b.reader(func(c *ReaderConfig) { c.CacheSegments = segments })
		each(t, files, files, func(i int) error {
			got, err := load(r, contents[i])
			if err == nil && !bytes.Equal(got, noise(35<<20, uint64(i))) {
				err = errors.New("differs")
			}
			return err
		})
		if made, _ := r.cache.buffers.live(); made > segments {
			t.Errorf("%d segments in memory, not %d", made, segments)
		}
		b.allIdle(r)
	}
}

func TestReaderWithoutPlaces(t *testing.T) {
	b := newBed(t, erasure.Code{K: 1, N: 2}, 0)
	r := b.reader()
	row := make([]byte, rowSize)
	wantErr(t, r.Chunks(t.Context(), row, nil), ErrUnknownChunk)
	wantErr(t, r.Chunks(t.Context(), make([]byte, 3*rowSize), nil), ErrUnknownChunk)
	wantErr(t, r.Chunks(t.Context(), row[1:], nil), ErrRows)
	if _, err := r.Whole(t.Context(), ident.SumDagCBOR([]byte("unknown"))); err == nil {
		t.Error("a segment that nobody knows")
	}
}

func TestPool(t *testing.T) {
	freed := 0
	p := newPool(8, 2)
	p.freed = func(b []byte) { freed++ }
	a, _ := p.get(nil)
	b, _ := p.try()
	if _, ok := p.try(); ok {
		t.Error("a buffer too many")
	}
	stop := make(chan struct{})
	close(stop)
	if _, ok := p.get(stop); ok {
		t.Error("a buffer after the end")
	}
	p.put(a[:3])
	if c, ok := p.get(nil); !ok || len(c) != 8 || &c[0] != &a[0] {
		t.Error("the buffer that came back was not used again")
	}
	p.put(b)
	p.release()
	p.put(a)
	if made, used := p.live(); freed != 2 || made != 0 || used != 0 {
		t.Errorf("%d freed, %d left, %d in use", freed, made, used)
	}
}
