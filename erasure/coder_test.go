package erasure

import (
	"bytes"
	"errors"
	"math/bits"
	"math/rand/v2"
	"testing"

	"holdfast/internal/ident"

	"pgregory.net/rapid"
)

func fill(p []byte, seed uint64) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	r.Read(p)
	return p
}

func buffers(n, size int) [][]byte {
	p := make([][]byte, n)
	for i := range p {
		p[i] = make([]byte, size)
	}
	return p
}

// coded returns all rows of a random segment.
func coded(t testing.TB, code Code, size int, seed uint64) (*Coder, [][]byte) {
	t.Helper()
	c, err := NewCoder(code)
	if err != nil {
		t.Fatal(err)
	}
	sealed := code.Pad(fill(make([]byte, size), seed))
	rows, err := c.Encode(sealed, buffers(code.N-code.K, len(sealed)/code.K))
	if err != nil {
		t.Fatal(err)
	}
	return c, rows
}

func TestEncodeIsInPlace(t *testing.T) {
	c, err := NewCoder(Code{4, 8})
	if err != nil {
		t.Fatal(err)
	}
	sealed := fill(make([]byte, 4*100), 1)
	before := bytes.Clone(sealed)
	parity := buffers(4, 100)
	rows, err := c.Encode(sealed, parity)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if &rows[i][0] != &sealed[i*100] || cap(rows[i]) != 100 {
			t.Errorf("row %d is not a closed slice of the segment", i)
		}
		if &rows[4+i][0] != &parity[i][0] {
			t.Errorf("row %d is not the caller's buffer", 4+i)
		}
	}
	if !bytes.Equal(sealed, before) {
		t.Error("the segment has changed")
	}
}

func TestEncodeAllocatesOnlyTheList(t *testing.T) {
	c, err := NewCoder(Code{4, 8})
	if err != nil {
		t.Fatal(err)
	}
	sealed, parity := make([]byte, 4<<16), buffers(4, 1<<16)
	n := testing.AllocsPerRun(10, func() {
		if _, err := c.Encode(sealed, parity); err != nil {
			t.Fatal(err)
		}
	})
	if n > 4 {
		t.Errorf("%v allocations for a segment", n)
	}
}

func TestEncodeRefusesWrongRows(t *testing.T) {
	c, err := NewCoder(Code{4, 8})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"empty":              func() error { _, err := c.Split(nil); return err },
		"not whole rows":     func() error { _, err := c.Split(make([]byte, 401)); return err },
		"too few parity":     func() error { _, err := c.Encode(make([]byte, 400), buffers(3, 100)); return err },
		"short parity":       func() error { _, err := c.Encode(make([]byte, 400), buffers(4, 99)); return err },
		"rebuild of 7 rows":  func() error { return c.Rebuild(buffers(7, 100), []int{0}) },
		"rebuild unequal":    func() error { r := buffers(8, 100); r[3] = r[3][:99]; return c.Rebuild(r, []int{0}) },
		"rebuild no row -1":  func() error { return c.Rebuild(buffers(8, 100), []int{-1}) },
		"rebuild no row 8":   func() error { return c.Rebuild(buffers(8, 100), []int{8}) },
		"describe 7 rows":    func() error { _, err := c.Describe(buffers(7, 100), 400); return err },
		"describe wrong row": func() error { _, err := c.Describe(buffers(8, 100), 401); return err },
	} {
		if err := f(); !errors.Is(err, ErrRows) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewCoder(Code{5, 8}); !errors.Is(err, ErrCode) {
		t.Errorf("coder of 5/8: %v", err)
	}
}

// Law: every loss pattern of 4/8 that leaves k rows comes back, each single row
// alone and all of them at once, into the caller's buffer, and nothing else is
// touched. With fewer rows it is ErrTooFew.
func TestEveryLossPattern(t *testing.T) {
	const size = 64
	c, rows := coded(t, Code{4, 8}, 4*size, 7)
	for mask := range 1 << 8 {
		var lost []int
		for i := range 8 {
			if mask&(1<<i) != 0 {
				lost = append(lost, i)
			}
		}
		if bits.OnesCount(uint(mask)) > 4 {
			if err := c.Rebuild(lose(rows, lost), lost[:1]); !errors.Is(err, ErrTooFew) {
				t.Fatalf("lost %v: %v", lost, err)
			}
			continue
		}
		for i := range lost {
			checkRebuilt(t, c, rows, lost, lost[i:i+1])
		}
		checkRebuilt(t, c, rows, lost, lost)
	}
}

// lose returns the rows without the lost ones, which become empty slices with room.
func lose(rows [][]byte, lost []int) [][]byte {
	left := make([][]byte, len(rows))
	copy(left, rows)
	for _, i := range lost {
		left[i] = make([]byte, 0, len(rows[i]))
	}
	return left
}

func checkRebuilt(t interface {
	Fatalf(string, ...any)
}, c *Coder, rows [][]byte, lost, want []int) {
	left := lose(rows, lost)
	empty := make([][]byte, len(left))
	copy(empty, left)
	if err := c.Rebuild(left, want); err != nil {
		t.Fatalf("lost %v, want %v: %v", lost, want, err)
	}
	wanted := make(map[int]bool)
	for _, i := range want {
		wanted[i] = true
		if !bytes.Equal(left[i], rows[i]) {
			t.Fatalf("lost %v, want %v: row %d is wrong", lost, want, i)
		}
		if &left[i][0] != &empty[i][:1][0] {
			t.Fatalf("lost %v, want %v: row %d is not in the caller's buffer", lost, want, i)
		}
	}
	for _, i := range lost {
		if !wanted[i] && len(left[i]) != 0 {
			t.Fatalf("lost %v, want %v: row %d was filled", lost, want, i)
		}
	}
}

// Law: the same for random codes, sizes, patterns and column ranges.
func TestRebuildRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 20).Draw(t, "k")
		n := rapid.IntRange(2*k, min(2*k+20, MaxShards)).Draw(t, "n")
		size := rapid.IntRange(1, 3000).Draw(t, "size")
		code := Code{k, n}
		c, err := NewCoder(code)
		if err != nil {
			t.Fatal(err)
		}
		sealed := code.Pad(fill(make([]byte, size), rapid.Uint64().Draw(t, "seed")))
		rows, err := c.Encode(sealed, buffers(n-k, len(sealed)/k))
		if err != nil {
			t.Fatal(err)
		}
		lost := rapid.Permutation(upTo(n)).Draw(t, "order")[:rapid.IntRange(1, n-k).Draw(t, "lost")]
		want := lost[:rapid.IntRange(1, len(lost)).Draw(t, "want")]
		from := rapid.IntRange(0, len(rows[0])-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(rows[0])).Draw(t, "to")
		columns := make([][]byte, n)
		for i, r := range rows {
			columns[i] = r[from:to:to]
		}
		checkRebuilt(t, c, columns, lost, want)
	})
}

func upTo(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// Law: a row that is there is never changed, wanted or not.
func TestRebuildLeavesWhatIsThere(t *testing.T) {
	c, rows := coded(t, Code{2, 5}, 100, 3)
	left := lose(rows, []int{1})
	first := &left[0][0]
	if err := c.Rebuild(left, []int{0, 4}); err != nil {
		t.Fatal(err)
	}
	if &left[0][0] != first || len(left[1]) != 0 {
		t.Error("rebuild has touched a row that was not both wanted and missing")
	}
}

// Law: describing what was rebuilt gives the same descriptor: a repaired shard
// keeps its name.
func TestDescribeAfterRepair(t *testing.T) {
	for _, code := range []Code{{1, 2}, {1, 3}, {2, 5}, {4, 8}, {6, 12}, {8, 20}, {16, 40}} {
		const size = 12345
		c, rows := coded(t, code, size, 9)
		d, err := c.Describe(rows, size)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			if d.Shards[i] != ident.SumRaw(r) {
				t.Fatalf("%v: CID of row %d is wrong", code, i)
			}
		}
		left := lose(rows, upTo(code.N)[:code.N-code.K])
		if err := c.Rebuild(left, upTo(code.N)); err != nil {
			t.Fatal(err)
		}
		again, err := c.Describe(left, size)
		if err != nil || again.CID() != d.CID() {
			t.Errorf("%v: %v, %v", code, again.CID(), err)
		}
	}
}

func TestDescribeChecksTheFilling(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5, 401, 402, 403} {
		c, rows := coded(t, Code{4, 8}, size, 4)
		if _, err := c.Describe(rows, int64(size)); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		rows[3][len(rows[3])-1] = 1
		if _, err := c.Describe(rows, int64(size)); !errors.Is(err, ErrRows) {
			t.Errorf("%d bytes, filling not zero: %v", size, err)
		}
	}
}
