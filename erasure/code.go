package erasure

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrCode says that a code is malformed or breaks the law 2k <= n.
var ErrCode = errors.New("not a code k/n with 1 <= k, 2k <= n <= 255")

// ErrTooFewOperators says that there is no code for so few operators.
var ErrTooFewOperators = errors.New("at least two operators are needed")

// MaxShards is the largest n.
const MaxShards = 255

// Code names a Reed-Solomon code: any K of its N shards give the segment back. It
// is comparable; its zero value is not valid.
type Code struct{ K, N int }

// Valid reports whether c is a code that holdfast may use.
//
// SPEC: destroying data takes a majority, so k is never more than n/2.
func (c Code) Valid() bool {
	return c.K >= 1 && c.N <= MaxShards && 2*c.K <= c.N
}

// Check returns an error that wraps ErrCode if c is not valid.
func (c Code) Check() error {
	if !c.Valid() {
		return fmt.Errorf("code %v: %w", c, ErrCode)
	}
	return nil
}

// String returns the form "4/8".
func (c Code) String() string { return strconv.Itoa(c.K) + "/" + strconv.Itoa(c.N) }

// ParseCode reads exactly the form that String produces, of a valid code.
func ParseCode(s string) (Code, error) {
	k, n, _ := strings.Cut(s, "/")
	var c Code
	c.K, _ = strconv.Atoi(k)
	c.N, _ = strconv.Atoi(n)
	if !c.Valid() || c.String() != s {
		return Code{}, fmt.Errorf("parse code %.20q: %w", s, ErrCode)
	}
	return c, nil
}

// RowSize returns the length of each row of a segment of size bytes.
func (c Code) RowSize(size int64) int64 { return (size + int64(c.K) - 1) / int64(c.K) }

// Pad appends zeros to a sealed segment until it is K whole rows, in place if its
// capacity allows that.
func (c Code) Pad(sealed []byte) []byte {
	short := int64(c.K)*c.RowSize(int64(len(sealed))) - int64(len(sealed))
	for range short {
		sealed = append(sealed, 0)
	}
	return sealed
}
