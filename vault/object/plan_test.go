package object

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/seal"
)

// asked counts the rows and ranges that all nodes were asked for.
func (b *bed) asked() (rows, ranges int64) {
	for _, n := range b.net.Nodes {
		rows += n.Gets()
		ranges += n.Ranges()
	}
	return rows, ranges
}

// A few chunks of a large segment are read by ranges, much of it is fetched whole;
// what is expected decides, if anything is.
func TestWholeOrRanges(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	c := b.store(w, noise(30<<20, 1))
	b.finish(w)
	row := func(i int) []byte { return c.Rows[i*rowSize : (i+1)*rowSize] }
	read := func(r *Reader, rows []byte) {
		t.Helper()
		if err := r.Chunks(t.Context(), rows, func(int, []byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	chunks := len(c.Rows) / rowSize

	r := b.reader()
	rows, ranges := b.asked()
	read(r, row(1))
	read(r, row(2))
	if newRows, newRanges := b.asked(); newRows != rows || newRanges == ranges {
		t.Errorf("for two chunks: %d rows, %d ranges", newRows-rows, newRanges-ranges)
	}
	if got := r.cfg.Counters.Fetched.Load(); got > int64(plainLen(row(1))+plainLen(row(2)))+1<<20 {
		t.Errorf("for two chunks %d bytes were fetched", got)
	}
	for i := range chunks { // one by one: at some point the whole is cheaper
		read(r, row(i))
	}
	if newRows, _ := b.asked(); newRows != rows+4 {
		t.Errorf("for all chunks, one by one: %d rows", newRows-rows)
	}
	if got := r.cfg.Counters.Fetched.Load(); got > 50<<20 {
		t.Errorf("for all chunks, one by one, %d bytes were fetched", got)
	}

	r = b.reader()
	for i := range chunks {
		r.Expect(seal.ChunkID(row(i)[:32]))
	}
	r.Expect(seal.ChunkID{})
	rows, ranges = b.asked()
	for i := range chunks {
		read(r, row(i))
	}
	if newRows, newRanges := b.asked(); newRows != rows+4 || newRanges != ranges {
		t.Errorf("for expected chunks: %d rows, %d ranges", newRows-rows, newRanges-ranges)
	}
}

// After many small commits a snapshot's directories are scattered over many metadata
// segments. Reading them in any order fetches each segment once.
func TestShortSegmentsStay(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	const commits, trees = shortSegments, 5
	ids := make([][]seal.ChunkID, trees)
	for i := range commits {
		w := b.writer()
		for j := range trees {
			id, err := w.Tree(t.Context(), fmt.Appendf(nil, "directory %d of commit %d", j, i))
			if err != nil {
				t.Fatal(err)
			}
			ids[j] = append(ids[j], id)
		}
		b.finish(w)
	}
	r := b.reader()
	for _, scattered := range ids {
		for _, id := range scattered {
			if _, err := r.Tree(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if rows, ranges := b.asked(); rows != 4*commits || ranges != 0 {
		t.Errorf("%d rows and %d ranges were fetched of %d segments", rows, ranges, commits)
	}
	b.allIdle(r)
}

// While one segment is read the next one is fetched.
func TestReadAhead(t *testing.T) {
	for name, expect := range map[string]bool{"rows of one call": false, "expected": true} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
			w := b.writer()
			c := b.store(w, noise(34<<20, 1))
			commit := b.finish(w)
			second := commit.Segments[1].CID
			r := b.reader()
			rows := c.Rows
			if expect {
				for rows := c.Rows; len(rows) > 0; rows = rows[rowSize:] {
					r.Expect(seal.ChunkID(rows[:32]))
				}
				rows = c.Rows[:rowSize]
			}
			err := r.Chunks(t.Context(), rows, func(i int, _ []byte) error {
				if i == 0 && !expect {
					until(func() bool { return r.cache.has(second) })
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !r.cache.has(second) {
				t.Error("the next segment was not fetched")
			}
		})
	}
}

func TestPlan(t *testing.T) {
	s := func(i byte) ident.CID { return ident.SumDagCBOR([]byte{i}) }
	var p plan
	const size = 32 << 20
	if p.wholly(s(1), size, 0) || !p.wholly(s(1), smallSegment, 0) || !p.wholly(s(1), size, size/4) || p.wholly(s(1), wholeLimit+1, size) {
		t.Error("a segment that nobody expects")
	}
	for i := byte(1); i <= 4; i++ {
		p.expect(s(i), 10<<20)
	}
	if !p.wholly(s(1), size, 0) {
		t.Error("an expected segment")
	}
	if n, ok := p.after(s(1)); !ok || n != s(2) {
		t.Error("the second comes after the first")
	}
	p.read(s(2), 10<<20)
	if n, ok := p.after(s(1)); !ok || n != s(3) || p.wholly(s(2), size, 0) {
		t.Error("what was read is not fetched ahead")
	}
	if _, ok := p.after(s(4)); ok {
		t.Error("nothing comes after the last")
	}
	if _, ok := p.after(s(9)); ok {
		t.Error("nothing comes after an unexpected one")
	}
	p.rangesOnly(s(1))
	if p.wholly(s(1), size, size) {
		t.Error("a segment for ranges only")
	}
	for range 100 {
		p.pay(s(5), 100<<10)
	}
	if !p.wholly(s(5), size, 0) {
		t.Error("a segment that was paid for")
	}
	for i := range 3 * maxUnplanned {
		p.want(ident.SumDagCBOR([]byte{1, byte(i), byte(i >> 8), byte(i >> 16)}))
	}
	if len(p.wants) > 2*maxUnplanned || p.wants[s(3)] == nil {
		t.Errorf("%d segments are remembered", len(p.wants))
	}
}

// direct runs fetches in goroutines that the test waits for.
type direct struct {
	t    *testing.T
	done chan struct{}
	n    int
}

func (d *direct) spawn(f func()) bool {
	d.n++
	go func() { f(); d.done <- struct{}{} }()
	return true
}

func (d *direct) wait() {
	for ; d.n > 0; d.n-- {
		<-d.done
	}
}

func TestCacheEvictsTheOldest(t *testing.T) {
	var evicted []ident.CID
	c := newCache(newPool(10, 2), func(e *entry) { evicted = append(evicted, e.segment) })
	d := &direct{t: t, done: make(chan struct{}, 10)}
	fetched := map[ident.CID]int{}
	get := func(i byte) func() {
		s := ident.SumDagCBOR([]byte{i})
		e, release, err := c.acquire(t.Context(), s, d.spawn, func(_ context.Context, b []byte) ([]byte, error) {
			fetched[s]++
			b[0] = i
			return b[:1], nil
		})
		if err != nil || e.sealed[0] != i {
			t.Fatalf("%d: %v", i, err)
		}
		d.wait()
		return release
	}
	get(1)()
	get(2)()
	get(1)()
	release := get(3) // 2 has to go
	get(1)()
	get(4)() // 1 has to go: 3 is in use
	release()
	want := []ident.CID{ident.SumDagCBOR([]byte{2}), ident.SumDagCBOR([]byte{1})}
	if len(evicted) != 2 || evicted[0] != want[0] || evicted[1] != want[1] {
		t.Errorf("evicted %v", evicted)
	}
	for s, n := range fetched {
		if n != 1 {
			t.Errorf("%v was fetched %d times", s, n)
		}
	}
	failed := errors.New("failed")
	_, _, err := c.acquire(t.Context(), ident.SumDagCBOR([]byte{5}), d.spawn, func(context.Context, []byte) ([]byte, error) {
		return nil, failed
	})
	d.wait()
	wantErr(t, err, failed)
	if c.has(ident.SumDagCBOR([]byte{5})) {
		t.Error("a failure is kept")
	}
	c.clear()
	if made, used := c.buffers.live(); made+used != 0 {
		t.Errorf("%d buffers made, %d used", made, used)
	}
}

func TestPrefetchTakesNothingAway(t *testing.T) {
	c := newCache(newPool(10, 2), func(*entry) {})
	d := &direct{t: t, done: make(chan struct{}, 10)}
	fill := func(_ context.Context, b []byte) ([]byte, error) { return b, nil }
	s := func(i byte) ident.CID { return ident.SumDagCBOR([]byte{i}) }
	_, release, err := c.acquire(t.Context(), s(1), d.spawn, fill)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []byte{2, 2, 3} { // 3 finds no room
		c.prefetch(t.Context(), s(i), d.spawn, fill)
		d.wait()
	}
	if !c.has(s(1)) || !c.has(s(2)) || c.has(s(3)) {
		t.Error("what was fetched ahead, and is still to come, was given up")
	}
	release()
	c.prefetch(t.Context(), s(3), d.spawn, fill)
	d.wait()
	if c.has(s(1)) || !c.has(s(2)) || !c.has(s(3)) {
		t.Error("a segment that nobody reads was kept")
	}
	if _, release, err = c.acquire(t.Context(), s(4), d.spawn, fill); err != nil {
		t.Fatal(err)
	}
	release()
	d.wait()
	c.clear()
}

func TestHealth(t *testing.T) {
	h := newHealth()
	node := ident.PublicKey{1}
	passed := func() (n int) {
		for ; h.suspect(node); n++ {
		}
		return n
	}
	if passed() != 0 {
		t.Error("a node without a past")
	}
	for _, want := range []int{8, 16, 32, 64, 128, 256, 256} {
		h.failed(node)
		if got := passed(); got != want {
			t.Errorf("passed over %d times, not %d", got, want)
		}
	}
	h.succeeded(node)
	h.failed(node)
	if passed() != 8 {
		t.Error("a good answer did not count")
	}
}
