package snapshot

import (
	"fmt"
	"math"
)

// maxExtents is how many pieces of data a sparse file may have in its node. A
// writer closes the smallest holes of a file that has more.
const maxExtents = 4096

// dataSize is how many bytes of the file are data, after a check of the extents:
// ascending, not overlapping, not empty, inside the file.
func (n *Node) dataSize() (int64, error) {
	if n.Size < 0 {
		return 0, fmt.Errorf("%w: negative size", ErrTree)
	}
	if len(n.Extents) == 0 {
		if n.Hole() {
			return 0, nil
		}
		return n.Size, nil
	}
	if len(n.Extents)%2 != 0 || len(n.Extents) > 2*maxExtents {
		return 0, fmt.Errorf("%w: broken or too many extents", ErrTree)
	}
	var sum, end int64
	for i := 0; i < len(n.Extents); i += 2 {
		off, length := n.Extents[i], n.Extents[i+1]
		if off < end || length < 1 || off > math.MaxInt64-length || off+length > n.Size {
			return 0, fmt.Errorf("%w: extents out of order or outside the file", ErrTree)
		}
		sum += length
		end = off + length
	}
	return sum, nil
}

// pieces are the extents of the file's data; a file without holes is one piece.
func (n *Node) pieces() []int64 {
	switch {
	case len(n.Extents) > 0:
		return n.Extents
	case n.Size == 0 || n.Hole():
		return nil
	}
	return []int64{0, n.Size}
}

// extents collects the data of a sparse file in ascending order, and keeps at
// most maxExtents pieces by closing holes shorter than min.
type extents struct {
	pairs []int64
	least int64 // holes shorter than this are closed
}

func (e *extents) add(off, length int64) {
	if n := len(e.pairs); n > 0 {
		end := e.pairs[n-2] + e.pairs[n-1]
		if off-end < max(e.least, 1) {
			e.pairs[n-1] = off + length - e.pairs[n-2]
			return
		}
	}
	e.pairs = append(e.pairs, off, length)
	if len(e.pairs) > 2*maxExtents {
		e.close()
	}
}

// close doubles the least hole until at most half of the pieces are left.
func (e *extents) close() {
	for len(e.pairs) > maxExtents {
		e.least = max(4096, 2*e.least)
		old := e.pairs
		e.pairs = old[:0]
		for i := 0; i < len(old); i += 2 {
			e.add(old[i], old[i+1])
		}
	}
}

// cut shortens the pieces to their first n bytes of data, and returns where the
// file ends then.
func cut(pairs []int64, n int64) (kept []int64, end int64) {
	for i := 0; i < len(pairs) && n > 0; i += 2 {
		take := min(n, pairs[i+1])
		kept = append(kept, pairs[i], take)
		end = pairs[i] + take
		n -= take
	}
	return kept, end
}
