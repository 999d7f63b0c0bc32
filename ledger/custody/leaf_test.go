package custody

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"holdfast/internal/ident"
)

// A leaf finds what is there, and the place of what is not, also where names are not evenly
// spread.
func TestFindInALeaf(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	hash := func(even bool) (h [ident.HashSize]byte) {
		h[0] = byte(random.IntN(3))
		for i := range h {
			if even || i == 20 {
				h[i] = byte(random.Uint32())
			}
		}
		return h
	}
	for range 400 {
		even, l := random.IntN(2) == 0, &leaf{}
		for range random.IntN(maxRows) {
			l.rows = append(l.rows, row{hash: hash(even)})
		}
		compare := func(a, b row) int { return bytes.Compare(a.hash[:], b.hash[:]) }
		slices.SortFunc(l.rows, compare)
		l.rows = slices.CompactFunc(l.rows, func(a, b row) bool { return a.hash == b.hash })
		asked := append(slices.Clone(l.rows), row{}, row{hash: hash(true)}, row{hash: hash(false)}, row{hash: [ident.HashSize]byte{255, 255}})
		for _, r := range asked {
			want, known := slices.BinarySearchFunc(l.rows, r, compare)
			if got, ok := l.find(&r.hash); got != want || ok != known {
				t.Fatalf("%x is found at %d, %v, not at %d, %v", r.hash, got, ok, want, known)
			}
		}
	}
}
