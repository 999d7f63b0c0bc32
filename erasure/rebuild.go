package erasure

import "fmt"

// Rebuild fills the wanted rows from the ones that are there, and touches no
// other. Rows has N elements; an empty one is missing, and if its capacity
// suffices it is filled in place. A wanted row that is there is left alone.
//
// The rows may be any equal column range of whole rows: rebuilding a range is the
// same call. Errors in a source are NOT noticed and give wrong bytes: every row,
// or column range, has been verified against the descriptor before.
func (c *Coder) Rebuild(rows [][]byte, want []int) error {
	if len(rows) != c.code.N {
		return fmt.Errorf("rebuild by %v: %w: %d rows", c.code, ErrRows, len(rows))
	}
	if err := c.checkSources(rows); err != nil {
		return fmt.Errorf("rebuild by %v: %w", c.code, err)
	}
	required := make([]bool, c.code.N)
	for _, i := range want {
		if i < 0 || i >= c.code.N {
			return fmt.Errorf("rebuild by %v: %w: no row %d", c.code, ErrRows, i)
		}
		required[i] = true
	}
	if err := c.rs.ReconstructSome(rows, required); err != nil {
		return fmt.Errorf("rebuild by %v: %w", c.code, err)
	}
	return nil
}

func (c *Coder) checkSources(rows [][]byte) error {
	there, size := 0, 0
	for i, r := range rows {
		switch {
		case len(r) == 0:
			continue
		case there > 0 && len(r) != size:
			return fmt.Errorf("%w: row %d has %d bytes, not %d", ErrRows, i, len(r), size)
		}
		there, size = there+1, len(r)
	}
	if there < c.code.K {
		return fmt.Errorf("%w: %d", ErrTooFew, there)
	}
	return nil
}
