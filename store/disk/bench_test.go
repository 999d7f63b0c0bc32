package disk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"holdfast/erasure"
	"holdfast/store"
	"holdfast/store/storetest"
)

// putter puts one payload again and again under other vaults' names, which costs
// the same as putting other payloads.
type putter struct {
	d *Disk
	s storetest.Segment
	n atomic.Uint64
}

func newPutter(b *testing.B, size int) *putter {
	return &putter{d: newDisk(b), s: storetest.NewSegment(b, erasure.Code{K: 1, N: 2}, size, 1)}
}

// put takes one of few vaults, so that folders are there already, and frees the
// space at once.
func (p *putter) put(b *testing.B) {
	n := p.n.Add(1)
	key := p.s.Key(storetest.Vault(fmt.Sprint(n%64)), int(n/64%2))
	ctx := context.Background()
	if err := p.d.Put(ctx, key, p.s.Descriptor, bytes.NewReader(p.s.Rows[0])); err != nil {
		b.Error(err)
	}
	if err := p.d.files.remove(p.d.at.shard(key)); err != nil {
		b.Error(err)
	}
	p.d.index.set(key, nil, "")
	if n%64 == 0 {
		if err := p.d.flush(); err != nil {
			b.Error(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20, 8 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			p := newPutter(b, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				p.put(b)
			}
		})
	}
}

func BenchmarkPutConcurrent(b *testing.B) {
	p := newPutter(b, 1<<20)
	b.SetBytes(1 << 20)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.put(b)
		}
	})
}

// What the node's CPU does for a put beside the disk: header, hash, outboard.
func BenchmarkWriteShard(b *testing.B) {
	p := newPutter(b, 8<<20)
	h, err := newHeader(p.s.Key(v, 0), p.s.Descriptor)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(8 << 20)
	for b.Loop() {
		if err := p.d.writeShard(b.Context(), io.Discard, h, bytes.NewReader(p.s.Rows[0])); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	p := newPutter(b, 8<<20)
	key := p.s.Key(v, 0)
	if err := p.s.Put(b.Context(), p.d, v, 0); err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func(store.Shard) error{
		"whole":       func(s store.Shard) error { _, err := s.WriteTo(io.Discard); return err },
		"slice 16KiB": func(s store.Shard) error { return s.Slice(io.Discard, 5<<20, 16<<10) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sh, err := p.d.Open(b.Context(), key)
				if err != nil {
					b.Fatal(err)
				}
				if err := read(sh); err != nil {
					b.Fatal(err)
				}
				sh.Close()
			}
		})
	}
	b.Run("stat", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.d.Stat(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkList(b *testing.B) {
	d := newDisk(b)
	s := segment(b, 100, 1)
	for i := range 10_000 {
		key := s.Key(storetest.Vault(fmt.Sprint(i)), i%4)
		d.index.set(key, &entry{50, s.Descriptor}, "")
	}
	for b.Loop() {
		for _, err := range d.List(b.Context(), store.Key{}.Vault) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
