package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"lukechampine.com/blake3/bao"
)

// inGroups hands out a payload with noise behind its last group.
func inGroups(p []byte) func(n int) (*[GroupSize]byte, error) {
	var group [GroupSize]byte
	return func(n int) (*[GroupSize]byte, error) {
		for i := range group {
			group[i] = 0xa5
		}
		copy(group[:n], p)
		p = p[n:]
		return &group, nil
	}
}

// The library's encoder is the second opinion.
func TestMakeOutboard(t *testing.T) {
	sizes := []int{1, 63, 64, 65, 1023, 1024, 1025, GroupSize - 1, GroupSize, GroupSize + 1, 2 * GroupSize, 3*GroupSize + 1, 5 * GroupSize, 1<<20 + 7}
	r := rand.New(rand.NewPCG(7, 7))
	for range 40 {
		sizes = append(sizes, 1+r.IntN(12*GroupSize))
	}
	for _, size := range sizes {
		p := make([]byte, size)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		want, wantSum := bao.EncodeBuf(p, Group, true)
		got := make([]byte, OutboardSize(int64(size)))
		sum, err := MakeOutboard(got, int64(size), inGroups(p))
		if err != nil || sum != wantSum || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: another outboard or hash, %v", size, err)
		}
	}
}

func TestMakeOutboardStops(t *testing.T) {
	broken := errors.New("broken")
	for at := range 5 {
		calls := 0
		_, err := MakeOutboard(make([]byte, OutboardSize(5*GroupSize)), 5*GroupSize, func(int) (*[GroupSize]byte, error) {
			if calls++; calls > at {
				return nil, broken
			}
			return new([GroupSize]byte), nil
		})
		if !errors.Is(err, broken) || calls != at+1 {
			t.Errorf("broken at group %d: %d calls, %v", at, calls, err)
		}
	}
}

func BenchmarkMakeOutboard(b *testing.B) {
	for _, size := range []int64{16 << 10, 8 << 20} {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			dst := make([]byte, OutboardSize(size))
			p := make([]byte, size)
			b.SetBytes(size)
			for b.Loop() {
				at := 0
				_, _ = MakeOutboard(dst, size, func(n int) (*[GroupSize]byte, error) {
					at += n
					return (*[GroupSize]byte)(p[at-n:]), nil
				})
			}
		})
	}
}
