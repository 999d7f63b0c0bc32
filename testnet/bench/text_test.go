package bench

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func text(seed uint64, n int) []byte {
	a := newAuthor(seed)
	var p []byte
	for len(p) < n {
		part := make([]byte, 57<<10)
		a.write(part)
		p = append(p, part...)
	}
	return p[:n]
}

// TestTextCompressesLikeSource holds the text to what zstd at its fastest does with
// real source in blocks of 1 MiB: 0.33 to 0.36.
func TestTextCompressesLikeSource(t *testing.T) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3) {
		const block = 1 << 20
		p, out := text(seed, 8*block), 0
		for i := 0; i < len(p); i += block {
			out += len(e.EncodeAll(p[i:i+block], nil))
		}
		if ratio := float64(out) / float64(len(p)); ratio < 0.33 || ratio > 0.36 {
			t.Errorf("seed %d: ratio %.3f", seed, ratio)
		}
	}
}

func TestTextIsReproducible(t *testing.T) {
	if !bytes.Equal(text(1, 1<<20), text(1, 1<<20)) {
		t.Error("the same seed gives another text")
	}
	if bytes.Equal(text(1, 1<<10), text(2, 1<<10)) {
		t.Error("another seed gives the same text")
	}
}

func BenchmarkText(b *testing.B) {
	a, p := newAuthor(1), make([]byte, 57<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		a.write(p)
	}
}
