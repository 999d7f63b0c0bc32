package object

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	. "holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/seal"
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
func putFaults() []Fault { return []Fault{Dead, Silent, Garbage, Full, Paused, Busy, Forbidden, Late} }

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
				if f == Full || f == Late {
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

// A holder that takes rows and then says nothing is waited for as long as patience
// lasts, once for its row and shortly for its receipt: never until a deadline of the
// protocol.
func TestReceiptsDoNotWaitForTheSilent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, erasure.Code{K: 2, N: 5}, 0)
		w := b.writer()
		data := noise(40<<20, 1)
		c := b.store(w, data)
		if _, err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.breakAll(Silent, 1)
		began := time.Now()
		commit, err := w.Finish(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < unhurried || took > unhurried+2*secondLook {
			t.Errorf("it took %v", took)
		}
		if len(commit.Receipts) != 4 || commit.Incomplete != len(commit.Segments) {
			t.Errorf("%d receipts, %d shards missing", len(commit.Receipts), commit.Incomplete)
		}
		b.learn(commit, b.own)
		b.mustLoad(b.reader(), c, data)
	})
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

// Chunks of a stream that has failed are stored beside what comes after it, which may
// have the same chunks and rely on them: no commit is flushed before they are in it.
func TestFlushWaitsForChunksOfAFailedStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
		goOn := make(chan struct{})
		var asked atomic.Int64
		w := b.writer(func(c *WriterConfig) {
			c.Known = func(seal.Kind, seal.ChunkID) bool {
				asked.Add(1)
				<-goOn
				return false
			}
		})
		bad := errors.New("input/output error")
		_, err := w.File(t.Context(), io.MultiReader(bytes.NewReader(noise(6<<20, 1)), iotest.ErrReader(bad)))
		wantErr(t, err, bad)
		flushed := make(chan int, 1)
		go func() {
			n, err := w.Flush(t.Context())
			if err != nil {
				t.Error(err)
			}
			flushed <- n
		}()
		synctest.Wait()
		if asked.Load() == 0 {
			t.Fatal("no chunk is on its way: the test shows nothing")
		}
		select {
		case <-flushed:
			t.Error("flushed while chunks are on their way")
		default:
		}
		close(goOn)
		n := <-flushed
		c, err := w.Finish(t.Context(), []byte("a sealed snapshot"))
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Segments) != n+1 || int64(len(c.Index.Chunks)) != asked.Load() {
			t.Errorf("%d segments, %d of data; %d chunks in the index, %d stored", len(c.Segments), n, len(c.Index.Chunks), asked.Load())
		}
	})
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

// twoEach places two shards of a segment on each of half as many nodes, as with fewer
// operators than shards.
type twoEach struct{ b *bed }

func (p twoEach) Place(int) ([]ident.PublicKey, error) {
	nodes := make([]ident.PublicKey, p.b.code.N)
	for i := range nodes {
		nodes[i] = p.b.key(i / 2)
	}
	return nodes, nil
}

func (twoEach) Spare(int, int, map[ident.PublicKey]bool) (ident.PublicKey, bool) {
	return ident.PublicKey{}, false
}

func TestSeveralShardsOnOneNode(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 6}, 0)
	w := b.writer(func(c *WriterConfig) {
		c.Placer = twoEach{b}
		c.CheckReceipt = func(_ ident.PublicKey, _ ident.Signed, refs []shardrpc.Ref) error {
			if len(refs) != 4 {
				t.Errorf("a receipt over %d shards", len(refs))
			}
			return nil
		}
	})
	data := noise(1<<20, 1)
	c := b.store(w, data)
	commit := b.finish(w)
	if len(commit.Receipts) != 3 || commit.Incomplete != 0 {
		t.Errorf("%d receipts, %d shards missing", len(commit.Receipts), commit.Incomplete)
	}
	b.breakAll(Lost, 0, 1)
	r := b.reader()
	b.mustLoad(r, c, data)
	l, err := b.locate(commit.Segments[0].CID)
	if err != nil {
		t.Fatal(err)
	}
	check, err := r.CheckShards(t.Context(), commit.Segments[0].CID, l, 1)
	if err != nil || check.Good() != 2 {
		t.Errorf("%+v, %v", check, err)
	}
}
