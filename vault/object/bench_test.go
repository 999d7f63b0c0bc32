package object

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
)

// discard is a holder that takes everything and has nothing: the writer alone.
type discard struct{ shardrpc.Holder }

func (discard) Put(context.Context, shardrpc.Nonce, int, []byte, []byte) error { return nil }

func (discard) Receipt(context.Context, shardrpc.Nonce, []shardrpc.Ref) (ident.Signed, error) {
	return ident.Signed{}, nil
}

func benchPut(b *testing.B, data func(n int, seed uint64) []byte, change func(*WriterConfig)) {
	const size = 128 << 20
	bed := newBed(b, erasure.Code{K: 4, N: 8}, 0)
	p := data(size, 1)
	b.SetBytes(size)
	for b.Loop() {
		w := bed.writer(change)
		bed.store(w, p)
		if _, err := w.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Finish(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	toNowhere := func(c *WriterConfig) {
		c.Holder = func(ident.PublicKey) shardrpc.Holder { return discard{} }
	}
	b.Run("random/discard", func(b *testing.B) { benchPut(b, noise, toNowhere) })
	b.Run("text/discard", func(b *testing.B) { benchPut(b, prose, toNowhere) })
	b.Run("random/memory", func(b *testing.B) { benchPut(b, noise, func(*WriterConfig) {}) })
}

func BenchmarkPutSmallFiles(b *testing.B) {
	const files, size = 5000, 20_000
	bed := newBed(b, erasure.Code{K: 4, N: 8}, 0)
	p := prose(files*size, 1)
	b.SetBytes(files * size)
	for b.Loop() {
		w := bed.writer(func(c *WriterConfig) {
			c.Holder = func(ident.PublicKey) shardrpc.Holder { return discard{} }
		})
		each(b, files, 4, func(i int) error {
			_, err := w.File(b.Context(), bytes.NewReader(p[i*size:(i+1)*size]))
			return err
		})
		if _, err := w.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		w.Abort()
	}
}

func benchGet(b *testing.B, data []byte, broken ...int) {
	bed := newBed(b, erasure.Code{K: 4, N: 8}, 0)
	w := bed.writer()
	c := bed.store(w, data)
	bed.finish(w)
	for _, i := range broken {
		bed.node(i).Break(1)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r := bed.reader()
		err := r.Chunks(b.Context(), c.Rows, func(int, []byte) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkGet(b *testing.B) {
	const size = 128 << 20
	b.Run("random", func(b *testing.B) { benchGet(b, noise(size, 1)) })
	b.Run("text", func(b *testing.B) { benchGet(b, prose(size, 1)) })
	b.Run("random/4 dead", func(b *testing.B) { benchGet(b, noise(size, 1), 0, 1, 2, 3) })
}

func BenchmarkGetSmallFiles(b *testing.B) {
	const files, size = 5000, 20_000
	bed := newBed(b, erasure.Code{K: 4, N: 8}, 0)
	p := prose(files*size, 1)
	w := bed.writer()
	contents := make([]Content, files)
	for i := range contents {
		contents[i] = bed.store(w, p[i*size:(i+1)*size])
	}
	bed.finish(w)
	b.SetBytes(files * size)
	for b.Loop() {
		r := bed.reader()
		for _, c := range contents {
			r.Expect(seal.ChunkID(c.Rows[:32]))
		}
		each(b, files, 4, func(i int) error {
			return r.Chunks(b.Context(), contents[i].Rows, func(int, []byte) error { return nil })
		})
		r.Close()
	}
}

func BenchmarkGetChunkByRange(b *testing.B) {
	bed := newBed(b, erasure.Code{K: 4, N: 8}, 0)
	w := bed.writer()
	c := bed.store(w, noise(30<<20, 1))
	bed.finish(w)
	for _, dead := range []int{0, 4} {
		b.Run(fmt.Sprint(dead, " dead"), func(b *testing.B) {
			for i := range dead {
				bed.node(i).Break(1)
			}
			r := bed.reader()
			defer r.Close()
			row := c.Rows[rowSize : 2*rowSize]
			b.SetBytes(int64(plainLen(row)))
			for b.Loop() {
				r.plan.forget()
				if err := r.Chunks(b.Context(), row, func(int, []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// forget makes the plan as new, so that ranges stay ranges.
func (p *plan) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wants, p.order = nil, nil
}
