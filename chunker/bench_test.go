package chunker_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"holdfast/chunker"
)

func drain(b *testing.B, c *chunker.Chunker, r io.Reader) {
	c.Reset(r)
	for {
		if _, err := c.Next(); err == io.EOF {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunker(b *testing.B) {
	const size = 32 << 20
	for name, data := range map[string][]byte{"random": random(1, size), "text": text(1, size), "zeros": make([]byte, size)} {
		b.Run(name, func(b *testing.B) {
			c := chunker.New([32]byte{1})
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				drain(b, c, bytes.NewReader(data))
			}
		})
	}
}

func BenchmarkSmallFiles(b *testing.B) {
	data := random(1, 10<<10)
	for name, c := range map[string]*chunker.Chunker{"reused": chunker.New([32]byte{1}), "new": nil} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if name == "new" {
					c = chunker.New([32]byte{1})
				}
				drain(b, c, bytes.NewReader(data))
			}
		})
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestShortStreamsAreCheap holds New and Next to what a small file may cost. The
// library's chunker would take 8 MiB.
func TestShortStreamsAreCheap(t *testing.T) {
	for _, n := range []int{0, 1, 10 << 10, 100 << 10, chunker.MinSize - 1} {
		data := random(1, n)
		got := allocated(func() { cut(t, chunker.New([32]byte{1}), bytes.NewReader(data)) })
		if limit := uint64(40<<10 + 4*n); got > limit {
			t.Errorf("a stream of %d bytes allocated %d, limit %d", n, got, limit)
		}
	}
	c := chunker.New([32]byte{1})
	data := bytes.NewReader(random(1, 100<<10))
	once := func() {
		data.Seek(0, io.SeekStart)
		c.Reset(data)
		for _, err := c.Next(); err == nil; {
			_, err = c.Next()
		}
	}
	if n := testing.AllocsPerRun(100, once); n > 0 {
		t.Errorf("a reused chunker allocates %v times for a short stream", n)
	}
}
