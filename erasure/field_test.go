package erasure

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// A second opinion on the matrix: GF(2^8) and the construction of docs/format.md,
// section 7, written down plainly, without any library.

// times multiplies by Russian peasants' method, modulo 0x11d.
func times(a, b byte) byte {
	var p byte
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			p ^= a
		}
		carry := a & 0x80
		a <<= 1
		if carry != 0 {
			a ^= 0x1d
		}
	}
	return p
}

func power(a byte, n int) byte {
	p := byte(1)
	for range n {
		p = times(p, a)
	}
	return p
}

// inverse is a^254, as a^255 = 1.
func inverse(a byte) byte { return power(a, 254) }

func vandermonde(n, k int) [][]byte {
	m := buffers(n, k)
	for i := range m {
		for j := range m[i] {
			m[i][j] = power(byte(i), j)
		}
	}
	return m
}

// inverted returns the inverse of a square matrix by Gauss and Jordan.
func inverted(square [][]byte) [][]byte {
	k := len(square)
	m := buffers(k, 2*k)
	for i := range m {
		copy(m[i], square[i])
		m[i][k+i] = 1
	}
	for c := range k {
		pivot := c
		for m[pivot][c] == 0 {
			pivot++
		}
		m[c], m[pivot] = m[pivot], m[c]
		scale := inverse(m[c][c])
		for j := range m[c] {
			m[c][j] = times(m[c][j], scale)
		}
		for i := range m {
			if f := m[i][c]; i != c && f != 0 {
				for j := range m[i] {
					m[i][j] ^= times(f, m[c][j])
				}
			}
		}
	}
	for i := range m {
		m[i] = m[i][k:]
	}
	return m
}

func product(a, b [][]byte) [][]byte {
	p := buffers(len(a), len(b[0]))
	for i := range p {
		for j := range p[i] {
			for x := range b {
				p[i][j] ^= times(a[i][x], b[x][j])
			}
		}
	}
	return p
}

// parityMatrix is section 7's: the lower part of the Vandermonde matrix times the
// inverse of its upper square.
func parityMatrix(code Code) [][]byte {
	v := vandermonde(code.N, code.K)
	return product(v[code.K:], inverted(v[:code.K]))
}

// unitParity reads the coder's matrix out of it with unit vectors.
func unitParity(t *testing.T, code Code) [][]byte {
	c, err := NewCoder(code)
	if err != nil {
		t.Fatal(err)
	}
	// Column j of the rows is unit vector j.
	sealed := make([]byte, code.K*code.K)
	for i := range code.K {
		sealed[i*code.K+i] = 1
	}
	rows, err := c.Encode(sealed, buffers(code.N-code.K, code.K))
	if err != nil {
		t.Fatal(err)
	}
	return rows[code.K:]
}

func TestParityMatrixOf4of8(t *testing.T) {
	// docs/format.md, section 7.
	want := []string{"1b1c1214", "1c1b1412", "12141b1c", "14121c1b"}
	for i, row := range unitParity(t, Code{4, 8}) {
		if hex.EncodeToString(row) != want[i] {
			t.Errorf("row %d is %x, not %s", i, row, want[i])
		}
	}
}

func TestParityMatrixIsTheSpecifiedOne(t *testing.T) {
	codes := []Code{{1, 2}, {1, 3}, {2, 4}, {2, 5}, {3, 6}, {3, 7}, {4, 8}, {4, 9}, {4, 10}, {5, 11}, {6, 12}, {8, 20}, {16, 40}, {50, 255}}
	for _, code := range codes {
		want := parityMatrix(code)
		for i, row := range unitParity(t, code) {
			if !bytes.Equal(row, want[i]) {
				t.Errorf("%v: parity row %d is %x, not %x", code, i, row, want[i])
			}
		}
	}
}

// Wide rows take other paths through the library (vector code, two goroutines):
// they must be the same function.
func TestParityOfLongRows(t *testing.T) {
	for _, code := range []Code{{1, 3}, {4, 8}, {5, 11}, {8, 20}} {
		const row = 100_003
		_, rows := coded(t, code, code.K*row, 5)
		m := parityMatrix(code)
		for i, p := range rows[code.K:] {
			for _, at := range []int{0, 1, 63, 64, 4097, row / 2, row - 65, row - 1} {
				var want byte
				for j := range code.K {
					want ^= times(m[i][j], rows[j][at])
				}
				if p[at] != want {
					t.Fatalf("%v: parity row %d, column %d is %#x, not %#x", code, i, at, p[at], want)
				}
			}
		}
	}
}
