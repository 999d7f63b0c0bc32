package erasure

import "fmt"

// codes is the table of design.md, "Codes by number of operators": n is the number
// of operators up to 12, k = min(n/2, n-2f) with f = (n-1)/3 of them liars.
// Operators are counted, not nodes.
func codes() []struct {
	operators int // at least
	code      Code
} {
	return []struct {
		operators int
		code      Code
	}{
		{20, Code{8, 20}},
		{12, Code{6, 12}},
		{11, Code{5, 11}},
		{10, Code{4, 10}},
		{9, Code{4, 9}},
		{8, Code{4, 8}},
		{7, Code{3, 7}},
		{6, Code{3, 6}},
		{5, Code{2, 5}},
		{4, Code{2, 4}},
		{3, Code{1, 3}},
		{2, Code{1, 2}},
	}
}

// ForOperators returns the code for data that so many operators will hold. With
// fewer than two it returns ErrTooFewOperators. Two are allowed, and callers warn:
// such a vault survives the loss of one operator and no lie.
func ForOperators(n int) (Code, error) {
	for _, row := range codes() {
		if n >= row.operators {
			return row.code, nil
		}
	}
	return Code{}, fmt.Errorf("code for %d operators: %w", n, ErrTooFewOperators)
}
