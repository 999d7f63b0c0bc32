package erasure

import (
	"errors"
	"fmt"

	"github.com/klauspost/reedsolomon"
)

// ErrTooFew says that fewer than k rows are there to rebuild from.
var ErrTooFew = errors.New("fewer than k rows")

// ErrRows says that the rows handed in have the wrong number or lengths. It is a
// mistake of the caller.
var ErrRows = errors.New("rows of wrong number or length")

// Coder encodes and rebuilds for one code. Making one costs a matrix inversion:
// keep one for each code. It is safe for concurrent use.
type Coder struct {
	code Code
	rs   reedsolomon.Encoder
}

// narrow is the widest code side at which one goroutine is the fastest way; beyond
// it the library enters its fast path only if it may use two.
const narrow = 10

// NewCoder makes the coder of a valid code.
func NewCoder(code Code) (*Coder, error) {
	if err := code.Check(); err != nil {
		return nil, fmt.Errorf("new coder: %w", err)
	}
	goroutines := 1
	if code.K > narrow || code.N-code.K > narrow {
		goroutines = 2
	}
	// The cache of inverted matrices is off: it would grow with every pattern of
	// losses that a peer can think of, and an inversion takes microseconds.
	rs, err := reedsolomon.New(code.K, code.N-code.K,
		reedsolomon.WithMaxGoroutines(goroutines), reedsolomon.WithInversionCache(false))
	if err != nil {
		return nil, fmt.Errorf("new coder %v: %w", code, err)
	}
	return &Coder{code, rs}, nil
}

// Code returns the code that the coder was made for.
func (c *Coder) Code() Code { return c.code }

// Split returns the K data rows of a sealed segment, which has been padded to K
// whole rows (Code.Pad). The rows are slices of sealed, and cannot be appended
// into each other.
func (c *Coder) Split(sealed []byte) ([][]byte, error) {
	if len(sealed) == 0 || len(sealed)%c.code.K != 0 {
		return nil, fmt.Errorf("split segment of %d bytes by %v: %w", len(sealed), c.code, ErrRows)
	}
	row := len(sealed) / c.code.K
	rows := make([][]byte, c.code.K, c.code.N)
	for i := range rows {
		rows[i] = sealed[i*row : (i+1)*row : (i+1)*row]
	}
	return rows, nil
}

// Encode fills the N-K parity rows of a padded segment and returns all N rows in
// their order: slices of sealed, then the caller's parity buffers. Each of these
// has the length of a row. Nothing is copied or allocated but the list of rows.
func (c *Coder) Encode(sealed []byte, parity [][]byte) ([][]byte, error) {
	rows, err := c.Split(sealed)
	if err != nil {
		return nil, err
	}
	if len(parity) != c.code.N-c.code.K {
		return nil, fmt.Errorf("encode by %v: %w: %d parity rows", c.code, ErrRows, len(parity))
	}
	for i, p := range parity {
		if len(p) != len(rows[0]) {
			return nil, fmt.Errorf("encode by %v: %w: parity row %d has %d bytes, not %d", c.code, ErrRows, i, len(p), len(rows[0]))
		}
	}
	rows = append(rows, parity...)
	if err := c.rs.Encode(rows); err != nil {
		return nil, fmt.Errorf("encode by %v: %w", c.code, err)
	}
	return rows, nil
}
