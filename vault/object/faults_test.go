package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	. "holdfast/p2p/shardrpc/shardrpctest"
)

// worst are the n-k nodes whose loss hurts most: those with the data rows first.
func worst(code erasure.Code) []int {
	var nodes []int
	for i := range code.N - code.K {
		nodes = append(nodes, i)
	}
	return nodes
}

// putFaults are those that keep a node from taking rows.
func putFaults() []Fault { return []Fault{Dead, Silent, Garbage, Full, Paused, Busy, Forbidden} }

// bubble runs a test in which time passes at once where everybody waits: holders are
// given up after the default durations, and nobody has to wait for that. Pools of
// other packages are emptied before and after, as what is in them may not pass the
// bubble's wall.
func bubble(t *testing.T, f func(t *testing.T)) {
	empty := func() { runtime.GC(); runtime.GC() }
	empty()
	defer empty()
	synctest.Test(t, f)
}

func TestPutWithSpares(t *testing.T) {
	for _, f := range putFaults() {
		t.Run(f.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, erasure.Code{K: 2, N: 5}, 2)
				b.breakAll(f, 1, 4)
				w := b.writer()
				data := noise(1<<20, 1)
				c := b.store(w, data)
				commit := b.finish(w)
				if commit.Incomplete != 0 || len(commit.Receipts) != 5 {
					t.Errorf("%d shards missing, %d receipts", commit.Incomplete, len(commit.Receipts))
				}
				for _, s := range commit.Segments {
					for i, node := range s.Nodes {
						if node == b.key(1) || node == b.key(4) {
							t.Errorf("shard %d is with a node that does not take rows", i)
						}
					}
				}
				b.mustLoad(b.reader(), c, data)
			})
		})
	}
}

func TestPutWithoutSpares(t *testing.T) {
	for _, f := range append(putFaults(), Forgetful) {
		t.Run(f.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, erasure.Code{K: 2, N: 5}, 0)
				b.breakAll(f, 0, 1)
				w := b.writer()
				data := noise(1<<20, 1)
				c := b.store(w, data)
				commit := b.finish(w)
				if commit.Incomplete != 4 || len(commit.Receipts) != 3 {
					t.Errorf("%d shards missing, %d receipts", commit.Incomplete, len(commit.Receipts))
				}
				b.mustLoad(b.reader(), c, data)
			})
		})
	}
}

func TestPutWithTooFewHolders(t *testing.T) {
	for _, f := range append(putFaults(), Forgetful) {
		t.Run(f.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, erasure.Code{K: 2, N: 5}, 1)
				b.breakAll(f, 0, 1, 2, 3)
				w := b.writer()
				b.store(w, noise(1<<20, 1))
				_, err := w.Flush(t.Context())
				if f == Forgetful {
					_, err = w.Finish(t.Context(), nil)
				}
				want := ErrTooFewHolders
				if f == Full {
					want = ErrFull
				}
				wantErr(t, err, want)
				_, err = w.File(t.Context(), bytes.NewReader(nil))
				if err == nil {
					t.Error("a failed commit goes on")
				}
			})
		})
	}
}

// flaky fails now and then.
type flaky struct {
	shardrpc.Holder
	fail func() error
}

func (f flaky) Put(ctx context.Context, nonce shardrpc.Nonce, index int, descriptor, row []byte) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Holder.Put(ctx, nonce, index, descriptor, row)
}

func (f flaky) Receipt(ctx context.Context, nonce shardrpc.Nonce, refs []shardrpc.Ref) (ident.Signed, error) {
	if err := f.fail(); err != nil {
		return ident.Signed{}, err
	}
	return f.Holder.Receipt(ctx, nonce, refs)
}

// A holder that fails once is asked again before anybody else, or nobody, gets its
// row.
func TestPassingFailureCostsNothing(t *testing.T) {
	for passing, size := range map[error]int{rpc.ErrBroken: 67 << 20, shardrpc.ErrBusy: 1000, rpc.ErrTimeout: 1000} {
		b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
		var calls atomic.Int64
		w := b.writer(func(c *WriterConfig) {
			c.Holder = func(node ident.PublicKey) shardrpc.Holder {
				if node != b.key(2) {
					return b.net.Holder(node)
				}
				return flaky{b.net.Holder(node), func() error {
					if calls.Add(1)%3 == 1 {
						return passing
					}
					return nil
				}}
			}
		})
		b.store(w, noise(size, 1))
		if c := b.finish(w); c.Incomplete != 0 {
			t.Errorf("%v: %d shards missing", passing, c.Incomplete)
		}
	}
}

func TestRefusedReceipt(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	var asked sync.Map
	w := b.writer(func(c *WriterConfig) {
		c.CheckReceipt = func(node ident.PublicKey, s ident.Signed, refs []shardrpc.Ref) error {
			asked.Store(node, len(refs))
			if node == b.key(3) {
				return errors.New("a bad signature")
			}
			return s.Verify(Key("vote", 0).Public(), "receipt", b.net.Vault)
		}
	})
	w.cfg.Enough = 1 // below what the code allows, to see who is left
	b.store(w, []byte("data"))
	c := b.finish(w)
	if len(c.Receipts) != 1 || c.Incomplete != 6 || !c.Segments[0].Nodes[3].IsZero() {
		t.Errorf("%d receipts, %d shards missing", len(c.Receipts), c.Incomplete)
	}
	for i := range 4 {
		if n, ok := asked.Load(b.key(i)); !ok || n != 2 {
			t.Errorf("node %d: a receipt over %v shards", i, n)
		}
	}
}

func TestEnough(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	for enough, ok := range map[int]bool{1: false, 2: true, 3: true, 4: true, 5: false} {
		c := b.writerConfig()
		c.Enough = enough
		w, err := NewWriter(t.Context(), c)
		if (err == nil) != ok {
			t.Errorf("%d: %v", enough, err)
		}
		if err == nil {
			w.Abort()
		}
	}
	b.breakAll(Full, 0)
	w := b.writer(func(c *WriterConfig) { c.Enough = 4 })
	b.store(w, []byte("data"))
	_, err := w.Flush(t.Context())
	wantErr(t, err, ErrFull)
}

// An unreadable source is no reason to lose the others.
func TestReaderErrorLeavesTheCommit(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	bad := errors.New("input/output error")
	for _, n := range []int64{0, 1, 100_000, 6 << 20} {
		r := io.MultiReader(bytes.NewReader(noise(int(n), 1)), iotest.ErrReader(bad))
		_, err := w.File(t.Context(), r)
		wantErr(t, err, bad)
	}
	data := noise(3<<20, 2)
	c := b.store(w, data)
	b.finish(w)
	b.mustLoad(b.reader(), c, data)
}

func TestOrderOfCalls(t *testing.T) {
	b := newBed(t, erasure.Code{K: 1, N: 2}, 0)
	w := b.writer()
	_, err := w.Finish(t.Context(), nil)
	wantErr(t, err, ErrFlushed)
	b.store(w, []byte("data"))
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = w.File(t.Context(), bytes.NewReader(nil))
	wantErr(t, err, ErrFlushed)
	_, err = w.Tree(t.Context(), []byte("tree"))
	wantErr(t, err, ErrFlushed)
	_, err = w.Flush(t.Context())
	wantErr(t, err, ErrFlushed)
	if _, err := w.Finish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.Finish(t.Context(), nil)
	wantErr(t, err, ErrFlushed)
	w.Abort()
	w.Abort()
}

func TestGetWithFaults(t *testing.T) {
	for _, f := range Faults() {
		t.Run(f.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
				w := b.writer()
				data := noise(2<<20, 1)
				c := b.store(w, data)
				b.finish(w)
				for _, nodes := range [][]int{{0, 1}, {1, 3}, {2, 3}} {
					b.breakAll(None, 0, 1, 2, 3)
					b.breakAll(f, nodes...)
					b.mustLoad(b.reader(), c, data)
					b.loadByRanges(c, data)
				}
				if f != WrongBytes && f != WrongSize {
					return
				}
				if len(b.faultsOf(0)) == 0 {
					t.Fatal("nobody was told")
				}
				for _, err := range b.faultsOf(0) {
					wantErr(t, err, shardrpc.ErrLied)
				}
			})
		})
	}
}

// loadByRanges reads each chunk alone, without ever fetching the segment whole.
func (b *bed) loadByRanges(c Content, want []byte) {
	b.t.Helper()
	r := b.reader()
	var got []byte
	for rows := c.Rows; len(rows) > 0; rows = rows[rowSize:] {
		r.plan.forget()
		p, err := load(r, Content{Rows: rows[:rowSize]})
		if err != nil {
			b.t.Fatal(err)
		}
		got = append(got, p...)
	}
	if !bytes.Equal(got, want) {
		b.t.Fatal("ranges do not give what went in")
	}
	if r.cfg.Counters.Fetched.Load() > 4*int64(len(want)) {
		b.t.Errorf("%d bytes were fetched for %d", r.cfg.Counters.Fetched.Load(), len(want))
	}
}

// What is gone for good is told from what is out of reach.
func TestTooFewShardsLeft(t *testing.T) {
	for f, want := range map[Fault]error{
		Lost: ErrLost, Corrupt: ErrLost, WrongBytes: ErrLost,
		Dead: ErrOutOfReach, Silent: ErrOutOfReach, Paused: ErrOutOfReach, Busy: ErrOutOfReach, Garbage: ErrOutOfReach,
	} {
		t.Run(f.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
				w := b.writer()
				c := b.store(w, noise(3<<20, 1))
				commit := b.finish(w)
				b.breakAll(f, 0, 1, 2)
				r := b.reader()
				_, err := load(r, c)
				wantErr(t, err, ErrUnreadable, want)
				_, err = r.Whole(t.Context(), commit.Segments[0].CID)
				wantErr(t, err, want)
				r.plan.forget()
				_, err = load(r, Content{Rows: c.Rows[:rowSize]})
				wantErr(t, err, want)
			})
		})
	}
}

// A segment that cannot be rebuilt still gives the chunks of the rows that are left,
// if these are not the rows with the ends of the sealed file.
func TestWhatIsLeftOfALostSegment(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	data := noise(30<<20, 1)
	c := b.store(w, data)
	b.finish(w)
	b.breakAll(Lost, 2, 4, 5, 6, 7)
	r := b.reader()
	good := 0
	at := 0
	for rows := c.Rows; len(rows) > 0; rows = rows[rowSize:] {
		n := plainLen(rows)
		if p, err := load(r, Content{Rows: rows[:rowSize]}); err == nil {
			if !bytes.Equal(p, data[at:at+n]) {
				t.Fatal("a chunk differs")
			}
			good += n
		}
		at += n
	}
	if good < 18<<20 || good > 23<<20 {
		t.Errorf("%d bytes were read from three of four rows", good)
	}
}

func TestHealthyReadsFetchNothingTwice(t *testing.T) {
	b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
	w := b.writer()
	data := noise(36<<20, 1)
	c := b.store(w, data)
	b.finish(w)
	r := b.reader()
	each(t, 3, 3, func(int) error {
		got, err := load(r, c)
		if err == nil && !bytes.Equal(got, data) {
			err = errors.New("differs")
		}
		return err
	})
	for i := range 8 {
		want := int64(2) // segments
		if i >= 4 {
			want = 0
		}
		if got := b.node(i).Gets(); got != want {
			t.Errorf("node %d was asked for %d rows", i, got)
		}
		if got := b.node(i).Ranges(); got != 0 {
			t.Errorf("node %d was asked for %d ranges", i, got)
		}
	}
}

func TestDeadNodesAreNotAskedEachTime(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	data := noise(66<<20, 1)
	c := b.store(w, data)
	b.finish(w)
	b.breakAll(Lost, 0)
	b.mustLoad(b.reader(), c, data)
	if n := len(b.faultsOf(0)); n < 1 || n > 2 { // two segments may be fetched at once
		t.Errorf("asked %d times in 3 segments", n)
	}
}

// wrap decorates some holders.
func wrap(b *bed, f func(node int, h shardrpc.Holder) shardrpc.Holder) func(ident.PublicKey) shardrpc.Holder {
	return func(key ident.PublicKey) shardrpc.Holder {
		h := b.net.Holder(key)
		for i := range b.net.Nodes {
			if b.key(i) == key {
				return f(i, h)
			}
		}
		return h
	}
}

// brokenOnce breaks off its first answers.
type brokenOnce struct {
	shardrpc.Holder
	left *atomic.Int64
}

func (h brokenOnce) Get(ctx context.Context, ref shardrpc.Ref, want ident.CID, size int64, dst []byte) ([]byte, error) {
	if h.left.Add(-1) >= 0 {
		return nil, fmt.Errorf("get: %w", rpc.ErrBroken)
	}
	return h.Holder.Get(ctx, ref, want, size, dst)
}

// With exactly k holders left, one broken stream is not the end.
func TestSecondChance(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	data := noise(5<<20, 1)
	c := b.store(w, data)
	b.finish(w)
	b.breakAll(Lost, 1, 2)
	var left atomic.Int64
	left.Store(1)
	r := b.reader(func(c *ReaderConfig) {
		c.Holder = wrap(b, func(node int, h shardrpc.Holder) shardrpc.Holder {
			if node == 0 {
				return brokenOnce{h, &left}
			}
			return h
		})
	})
	b.mustLoad(r, c, data)
}
