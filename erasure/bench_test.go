package erasure

import "testing"

func BenchmarkEncode(b *testing.B) {
	for _, code := range []Code{{1, 2}, {4, 8}, {6, 12}, {8, 20}} {
		b.Run(code.String(), func(b *testing.B) {
			c, err := NewCoder(code)
			if err != nil {
				b.Fatal(err)
			}
			sealed := code.Pad(make([]byte, 32<<20))
			parity := buffers(code.N-code.K, len(sealed)/code.K)
			b.SetBytes(int64(len(sealed)))
			for b.Loop() {
				if _, err := c.Encode(sealed, parity); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDescribe(b *testing.B) {
	c, rows := coded(b, Code{4, 8}, 32<<20, 1)
	b.SetBytes(int64(len(rows) * len(rows[0])))
	for b.Loop() {
		if _, err := c.Describe(rows, 32<<20); err != nil {
			b.Fatal(err)
		}
	}
}

// A degraded read of 64 KiB: one lost data row from four parity rows.
func BenchmarkRebuildRange(b *testing.B) {
	c, rows := coded(b, Code{4, 8}, 4<<16, 1)
	buf := make([]byte, 0, 1<<16)
	b.SetBytes(1 << 16)
	for b.Loop() {
		left := make([][]byte, 8)
		copy(left[4:], rows[4:])
		left[1] = buf
		if err := c.Rebuild(left, []int{1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseDescriptor(b *testing.B) {
	p := sample(Code{4, 8}, 33_554_432).Encode()
	for b.Loop() {
		if _, err := ParseDescriptor(p); err != nil {
			b.Fatal(err)
		}
	}
}
