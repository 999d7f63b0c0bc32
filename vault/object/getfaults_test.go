package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	. "holdfast/p2p/shardrpc/shardrpctest"
)

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
				if f != WrongBytes && f != WrongSize && f != Endless {
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

// The length that a row states is part of the file's content: another one is not
// passed over.
func TestRowWithWrongLength(t *testing.T) {
	b := newBed(t, erasure.Code{K: 1, N: 2}, 0)
	w := b.writer()
	c := b.store(w, noise(1<<20, 1))
	b.finish(w)
	r := b.reader()
	c.Rows[rowSize-1] ^= 1
	_, err := load(r, c)
	wantErr(t, err, ErrRows)
	_, err = load(r, Content{Rows: c.Rows[:rowSize]})
	wantErr(t, err, ErrRows)
}
