package erasure

import (
	"fmt"
	"sync"

	"holdfast/internal/ident"
)

// Describe hashes the N rows of a segment of size bytes and returns its
// descriptor. It uses at most two goroutines. That the parity rows belong to the
// data rows is the caller's word; that the filling is zeros is checked.
func (c *Coder) Describe(rows [][]byte, size int64) (Descriptor, error) {
	if size < 1 || size > MaxSegment {
		return Descriptor{}, fmt.Errorf("describe segment: %w: size %d", ErrDescriptor, size)
	}
	if err := c.checkWhole(rows, size); err != nil {
		return Descriptor{}, fmt.Errorf("describe segment: %w", err)
	}
	return Descriptor{
		V: descriptorVersion, K: uint64(c.code.K), N: uint64(c.code.N),
		Size: uint64(size), Shards: sumRows(rows),
	}, nil
}

func (c *Coder) checkWhole(rows [][]byte, size int64) error {
	row := c.code.RowSize(size)
	if len(rows) != c.code.N {
		return fmt.Errorf("%w: %d rows for %v", ErrRows, len(rows), c.code)
	}
	for i, r := range rows {
		if int64(len(r)) != row {
			return fmt.Errorf("%w: row %d has %d bytes, not %d", ErrRows, i, len(r), row)
		}
	}
	// The filling can be longer than the last row: a segment of 5 bytes by k = 4
	// has rows of 2 bytes, and the last of them holds nothing else.
	for at := size; at < row*int64(c.code.K); at++ {
		if rows[at/row][at%row] != 0 {
			return fmt.Errorf("%w: the last rows are not filled with zeros", ErrRows)
		}
	}
	return nil
}

// sumRows names every row. Two goroutines share the work, the caller's and one
// more: a machine that encodes has other things to do as well.
func sumRows(rows [][]byte) []ident.CID {
	sums := make([]ident.CID, len(rows))
	half := len(rows) / 2
	var other sync.WaitGroup
	other.Go(func() {
		for i, r := range rows[:half] {
			sums[i] = ident.SumRaw(r)
		}
	})
	for i, r := range rows[half:] {
		sums[half+i] = ident.SumRaw(r)
	}
	other.Wait()
	return sums
}
