package chunker_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"

	"holdfast/chunker"
)

// digests is what a store knows of a stream's chunks: names and sizes.
type digests map[[32]byte]int

func (d digests) add(p []byte) { d[blake3.Sum256(p)] = len(p) }

func cutDigests(t *testing.T, c *chunker.Chunker, stream []byte) digests {
	t.Helper()
	d := digests{}
	c.Reset(bytes.NewReader(stream))
	for {
		p, err := c.Next()
		if err == io.EOF {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		d.add(p)
	}
}

// fixedDigests cuts at fixed offsets: what a chunker is worth nothing against.
func fixedDigests(stream []byte, size int) digests {
	d := digests{}
	for len(stream) > 0 {
		n := min(size, len(stream))
		d.add(stream[:n])
		stream = stream[n:]
	}
	return d
}

// again returns how many bytes of old data have to be stored again when a stream
// that was cut into old has become one that was cut into changed.
func again(old, changed digests, inserted int) int {
	n := -inserted
	for id, size := range changed {
		if _, ok := old[id]; !ok {
			n += size
		}
	}
	return n
}

// inserter puts pieces into a copy of a stream, and keeps its buffer.
type inserter struct {
	rand *rand.Rand
	buf  []byte
}

func (i *inserter) insert(stream []byte, n int) []byte {
	at := i.rand.IntN(len(stream))
	i.buf = append(i.buf[:0], stream[:at]...)
	i.buf = append(i.buf, random(byte(i.rand.Uint32()), n)...)
	i.buf = append(i.buf, stream[at:]...)
	return i.buf
}

func draw(times int, f func() int) []int {
	n := make([]int, times)
	for i := range n {
		n[i] = f()
	}
	return n
}

// TestInsertions measures what one inserted piece costs, and holds it to a few
// mean chunks on average, and to a multiple of that at worst. Cutting at fixed
// offsets, the control, must fail the same test by far.
func TestInsertions(t *testing.T) {
	for name, data := range map[string][]byte{"random": random(10, 24<<20), "text": text(11, 24<<20)} {
		t.Run(name, func(t *testing.T) {
			c := chunker.New([32]byte{7})
			old := cutDigests(t, c, data)
			mean := len(data) / len(old)
			t.Logf("%d chunks, mean %d KiB", len(old), mean>>10)
			if mean < chunker.NormalSize || mean > 3*chunker.NormalSize {
				t.Errorf("mean chunk of %d bytes", mean)
			}
			in := inserter{rand: rand.New(rand.NewPCG(12, 13))}
			small := func() int { return 1 + in.rand.IntN(100) }
			large := func() int { return 64<<10 + in.rand.IntN(1<<20) }
			for _, kind := range []struct {
				name   string
				pieces []int
			}{{"small", draw(20, small)}, {"large", draw(8, large)}} {
				sum, worst, name, pieces := 0, 0, kind.name, kind.pieces
				for _, n := range pieces {
					cost := again(old, cutDigests(t, c, in.insert(data, n)), n)
					sum, worst = sum+cost, max(worst, cost)
				}
				t.Logf("%s: %.2f mean chunks stored again, %.2f at worst", name,
					float64(sum)/float64(len(pieces)*mean), float64(worst)/float64(mean))
				if sum > 3*mean*len(pieces) || worst > 8*mean {
					t.Errorf("%s: %d bytes stored again in %d insertions, %d at worst", name, sum, len(pieces), worst)
				}
			}
			fixed := fixedDigests(data, mean)
			sum := 0
			for range 5 {
				sum += again(fixed, fixedDigests(in.insert(data, 50), mean), 50)
			}
			t.Logf("fixed offsets: %.2f mean chunks", float64(sum)/float64(5*mean))
			if sum < 5*6*mean {
				t.Error("the test does not tell fixed offsets from content-defined cuts")
			}
		})
	}
}

// TestManyInsertionsAtOnce changes one stream in 20 places.
func TestManyInsertionsAtOnce(t *testing.T) {
	const size, times = 64 << 20, 20
	data := random(14, size)
	c := chunker.New([32]byte{7})
	old := cutDigests(t, c, data)
	r := rand.New(rand.NewPCG(15, 16))
	changed, inserted, at := make([]byte, 0, size+times*100), 0, 0
	for i := range times {
		next := size/times*i + r.IntN(size/times)
		piece := random(byte(i), 1+r.IntN(100))
		changed = append(append(changed, data[at:next]...), piece...)
		at, inserted = next, inserted+len(piece)
	}
	changed = append(changed, data[at:]...)
	cost, mean := again(old, cutDigests(t, c, changed), inserted), size/len(old)
	t.Logf("%.2f mean chunks of %d KiB for each of %d insertions", float64(cost)/float64(mean*times), mean>>10, times)
	if cost > 3*mean*times {
		t.Errorf("%d bytes stored again", cost)
	}
}
