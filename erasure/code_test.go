package erasure

import (
	"errors"
	"testing"
)

func TestCodeObeysTheLaw(t *testing.T) {
	for k := -1; k <= 260; k++ {
		for n := -1; n <= 260; n++ {
			want := k >= 1 && k*2 <= n && n <= 255
			if got := (Code{k, n}).Valid(); got != want {
				t.Fatalf("%d/%d: Valid() = %v", k, n, got)
			}
		}
	}
	if err := (Code{3, 5}).Check(); !errors.Is(err, ErrCode) {
		t.Errorf("3/5: %v", err)
	}
}

func TestParseCode(t *testing.T) {
	for _, c := range []Code{{1, 2}, {4, 8}, {8, 20}, {127, 255}} {
		if got, err := ParseCode(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	for _, s := range []string{"", "/", "4", "4/", "/8", "4/7", "0/2", "-1/2", "+4/8", "04/8", "4/8 ", "4/8/1", "128/256", "4/9999999999999999999"} {
		if got, err := ParseCode(s); !errors.Is(err, ErrCode) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

// The table against the formula that it was made with.
func TestForOperators(t *testing.T) {
	for n := -1; n < 2; n++ {
		if _, err := ForOperators(n); !errors.Is(err, ErrTooFewOperators) {
			t.Errorf("%d operators: %v", n, err)
		}
	}
	for operators := 2; operators < 300; operators++ {
		n := operators
		switch {
		case operators >= 20:
			n = 20
		case operators >= 12:
			n = 12
		}
		f := (n - 1) / 3
		want := Code{min(n/2, n-2*f), n}
		got, err := ForOperators(operators)
		if err != nil || got != want || !got.Valid() {
			t.Errorf("%d operators: %v, %v; want %v", operators, got, err, want)
		}
		// A commit that f liars among its holders acknowledged is still there.
		if got.N-2*f < got.K {
			t.Errorf("%d operators: %v does not survive %d liars and %d losses", operators, got, f, f)
		}
	}
}

func TestRowSizeAndPad(t *testing.T) {
	for _, code := range []Code{{1, 2}, {3, 7}, {4, 8}, {127, 255}} {
		for size := 1; size < 600; size++ {
			sealed := make([]byte, size, size+size%7)
			for i := range sealed {
				sealed[i] = 0xff
			}
			p := code.Pad(sealed)
			row := code.RowSize(int64(size))
			if int64(len(p)) != row*int64(code.K) || len(p)-size >= code.K {
				t.Fatalf("%v: %d bytes padded to %d, row %d", code, size, len(p), row)
			}
			for i, b := range p {
				if (b == 0) != (i >= size) {
					t.Fatalf("%v: byte %d of %d padded is %#x", code, i, size, b)
				}
			}
		}
	}
}
