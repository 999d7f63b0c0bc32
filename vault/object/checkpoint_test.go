package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	. "holdfast/p2p/shardrpc/shardrpctest"
)

// next makes what the commit after checkpoint i is made with.
func (b *bed) next(i int) Next {
	return Next{Nonce: shardrpc.Nonce{7, byte(i + 1)}, Placer: &straight{b, map[[2]int]bool{}}}
}

// checkpoint cuts off a commit and takes it into the index, as the vault does.
func (b *bed) checkpoint(w *Writer, i int) Commit {
	b.t.Helper()
	c, err := b.tryCheckpoint(b.t.Context(), w, i)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bed) tryCheckpoint(ctx context.Context, w *Writer, i int) (Commit, error) {
	p, err := w.Checkpoint(ctx, b.next(i))
	if err != nil {
		return Commit{}, err
	}
	n, err := p.Place(ctx)
	if err != nil {
		return Commit{}, err
	}
	c, err := p.Finish(ctx, []byte("a sealed snapshot"))
	if err != nil {
		return Commit{}, err
	}
	if len(c.Segments) != n+1 {
		return c, fmt.Errorf("%d segments, %d of data", len(c.Segments), n)
	}
	b.learn(c, b.own)
	p.Forget()
	return c, nil
}

// gated is a stream that stops in the middle until it is let go.
type gated struct {
	first, rest io.Reader
	middle, on  chan struct{}
	said        bool
}

func (g *gated) Read(p []byte) (int, error) {
	if n, err := g.first.Read(p); err == nil {
		return n, nil
	}
	if !g.said {
		g.said = true
		close(g.middle)
		<-g.on
	}
	return g.rest.Read(p)
}

// A stream that is being read when a checkpoint is made has chunks in two commits;
// what was complete can be read from the first alone.
func TestCheckpointInsideOfAStream(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	whole := noise(5<<20, 1)
	before := b.store(w, whole)
	long := noise(60<<20, 2)
	g := &gated{first: bytes.NewReader(long[:40<<20]), rest: bytes.NewReader(long[40<<20:]), middle: make(chan struct{}), on: make(chan struct{})}
	contents := make(chan Content, 1)
	go func() {
		c, err := w.File(t.Context(), g)
		if err != nil {
			t.Error(err)
		}
		contents <- c
	}()
	<-g.middle
	one := b.checkpoint(w, 1)
	b.mustLoad(b.reader(), before, whole)
	if len(one.Segments) < 3 {
		t.Errorf("%d segments for 45 MiB, most of which were read", len(one.Segments))
	}
	close(g.on)
	c := <-contents
	again := b.store(w, whole)
	if again.New != 0 {
		t.Errorf("%d bytes of an earlier commit are stored again", again.New)
	}
	two := b.finish(w)
	b.mustLoad(b.reader(), c, long)
	b.mustLoad(b.reader(), again, whole)
	once := map[ident.CID]bool{}
	for _, s := range append(one.Segments, two.Segments...) {
		if once[s.CID] {
			t.Errorf("segment %v is in two commits", s.CID)
		}
		once[s.CID] = true
	}
	if total := w.Stats(); total.Read != int64(len(long)+2*len(whole)) || total.Added < int64(len(long)+len(whole)) {
		t.Errorf("stats: %+v", total)
	}
	b.nothingLeft(w)
}

// However calls and checkpoints meet: what a call has returned before a checkpoint
// began can be read when that is finished.
func TestCheckpointsHoldWhatWasReturned(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	const files, writers = 60, 4
	seed := rand.Uint64()
	t.Log("seed", seed)
	var mu sync.Mutex
	done := map[int]Content{}
	data := func(i int) []byte { return noise(10<<10+i*7000, uint64(i%40)) } // many are the beginning of others
	jobs := make(chan int)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := range jobs {
				c, err := w.File(t.Context(), bytes.NewReader(data(i)))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				done[i] = c
				mu.Unlock()
			}
		})
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range files {
		jobs <- i
		if r.IntN(8) != 0 {
			continue
		}
		mu.Lock()
		have := map[int]Content{}
		for i, c := range done {
			have[i] = c
		}
		mu.Unlock()
		b.checkpoint(w, i)
		for i, c := range have {
			b.mustLoad(b.reader(), c, data(i))
		}
	}
	close(jobs)
	group.Wait()
	b.finish(w)
	for i, c := range done {
		b.mustLoad(b.reader(), c, data(i))
	}
	b.nothingLeft(w)
}

// With all holders silent a checkpoint ends with its context, and with it the
// writer: what follows would refer to what is nowhere.
func TestCancelCheckpoint(t *testing.T) {
	stop := errors.New("interrupted")
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer()
	b.store(w, noise(1<<20, 1))
	b.breakAll(Silent, 0, 1, 2, 3)
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := w.Checkpoint(t.Context(), b.next(1))
	if err != nil {
		t.Fatal(err)
	}
	go cancel(stop)
	_, err = p.Place(ctx)
	wantErr(t, err, stop)
	_, err = p.Finish(ctx, nil)
	wantErr(t, err, stop)
	w.Abort()
	b.nothingLeft(w)
	_, err = w.Checkpoint(t.Context(), b.next(2))
	if err == nil {
		t.Error("a writer that has failed goes on")
	}
}

// A holder that gave no receipt for one commit is asked anew for the next.
func TestCheckpointAsksAgain(t *testing.T) {
	b := newBed(t, erasure.Code{K: 2, N: 4}, 0)
	w := b.writer(func(c *WriterConfig) { c.Enough = 3 })
	b.store(w, noise(1<<20, 1))
	b.breakAll(Dead, 3)
	if c := b.checkpoint(w, 1); c.Incomplete != 2 {
		t.Errorf("%d shards are with nobody", c.Incomplete)
	}
	b.breakAll(None, 3)
	b.store(w, noise(1<<20, 2))
	if c := b.checkpoint(w, 2); c.Incomplete != 0 {
		t.Errorf("%d shards are with nobody, and the holder is back", c.Incomplete)
	}
	if len(w.seen.all) != 1 || len(w.seen.all[0].ids) != 0 {
		t.Errorf("after two checkpoints the writer remembers %d commits", len(w.seen.all))
	}
	b.store(w, noise(1<<20, 3))
	if c := b.finish(w); c.Incomplete != 0 {
		t.Errorf("%d shards are with nobody at the end", c.Incomplete)
	}
}
