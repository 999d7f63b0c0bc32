package object

import (
	"context"
	"runtime"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
	"holdfast/vault/index"
)

// ReaderConfig says where a reader finds things and with what it opens them.
type ReaderConfig struct {
	Keys       seal.Keys
	Identities []seal.Identity // tried in turn

	// Places returns where a chunk may be, the best first.
	Places func(kind seal.Kind, id seal.ChunkID) ([]index.Place, error)
	// Locate returns where a segment's shards are.
	Locate func(segment ident.CID) (Location, error)
	Holder func(node ident.PublicKey) shardrpc.Holder

	Counters *Counters // may be nil

	// CacheSegments is how many whole segments are kept, besides some short ones; 0
	// is 4.
	CacheSegments int
	// Hedge is the least time that a holder gets before another one is asked for the
	// same bytes; three times what answers of that length usually take, if that is
	// more. 0 is 50 milliseconds for ranges and four times as long for whole rows.
	Hedge time.Duration

	// Fault is told of every holder that failed, and how: shardrpc.ErrLied is the
	// one error that a holder cannot have without guilt. May be nil.
	Fault func(node ident.PublicKey, ref shardrpc.Ref, err error)
	// IllCoded is told of a segment of which a healthy read found that its rows do not
	// belong together: its writer is to blame, and no holder. The read goes on with the
	// data rows. May be nil.
	IllCoded func(segment ident.CID)
	// Random returns a number from 0 to below n: it decides which healthy reads go
	// through the decoder. It is called by several goroutines at once. Nil is the
	// program's own source; a test has one that it can foresee.
	Random func(n int) int
	// FalsePlace is told of every place that did not hold its chunk although the
	// segment could be read: its lane has lied, or the segment is ill-coded. May be
	// nil.
	FalsePlace func(place index.Place, err error)
}

const (
	defaultCache = 4
	defaultHedge = 50 * time.Millisecond
	// rowPatience is how much longer a whole row may take than a range, at least.
	rowPatience = 4
	// firstHedge is how long is waited while it is not known what is usual, and by
	// whoever has used up what hedging may cost.
	firstHedge = time.Second
	// wholeLimit is the longest segment that is fetched whole: a full one.
	wholeLimit = 32 << 20
	maxPadding = 255 // of its k rows
	// shortLimit is the longest segment that is kept in a short buffer. Such are the
	// metadata segments of small commits: after many of them a snapshot's directories
	// lie scattered over dozens.
	shortLimit    = 1 << 20
	shortSegments = 24
	// plainBuffers is how many chunks are on their way out at once.
	plainBuffers = 8
	plainSize    = seal.MaxChunk + 64 // the decoder likes a little room behind
)

// Reader gets chunks back. It is safe for concurrent use. It is closed when
// nothing is read any more.
type Reader struct {
	cfg       ReaderConfig
	coders    coders
	health    *health
	rowPace   pace
	rangePace pace
	cache     *cache
	short     *cache // of segments up to shortLimit
	chunks    *pool
	openings  openings
	targets   targetCache
	plan      plan

	done  <-chan struct{}
	stop  context.CancelCauseFunc
	after func(func()) (stop func() bool)

	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

// NewReader makes a reader. It starts nothing.
func NewReader(cfg ReaderConfig) *Reader {
	if cfg.Counters == nil {
		cfg.Counters = &Counters{}
	}
	if cfg.CacheSegments <= 0 {
		cfg.CacheSegments = defaultCache
	}
	hedgeRows := cfg.Hedge
	if cfg.Hedge <= 0 {
		cfg.Hedge, hedgeRows = defaultHedge, rowPatience*defaultHedge
	}
	if cfg.Fault == nil {
		cfg.Fault = func(ident.PublicKey, shardrpc.Ref, error) {}
	}
	if cfg.IllCoded == nil {
		cfg.IllCoded = func(ident.CID) {}
	}
	if cfg.Random == nil {
		cfg.Random = anyNumber
	}
	if cfg.FalsePlace == nil {
		cfg.FalsePlace = func(index.Place, error) {}
	}
	ctx, stop := context.WithCancelCause(context.Background())
	extra := newAllowance()
	r := &Reader{
		cfg: cfg, health: newHealth(),
		rowPace:   pace{least: hedgeRows, first: firstHedge, extra: extra},
		rangePace: pace{least: cfg.Hedge, first: firstHedge, extra: extra},
		chunks:    newPool(plainSize, max(plainBuffers, 2*runtime.GOMAXPROCS(0))),
		done:      ctx.Done(),
		stop:      stop,
		after:     func(f func()) func() bool { return context.AfterFunc(ctx, f) },
	}
	r.cache = newCache(newBigPool(wholeLimit+maxPadding, cfg.CacheSegments), r.evicted)
	r.short = newCache(newBigPool(shortLimit, shortSegments), r.evicted)
	return r
}

// Close stops what is fetched ahead, waits for it, and forgets the file keys.
func (r *Reader) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop(ErrClosed)
	r.cache.stop()
	r.short.stop()
	r.group.Wait()
	r.cache.clear()
	r.short.clear()
	r.openings.clear()
}

// enter begins a call: the context that it returns ends with the caller's and with
// the reader; leave ends it.
func (r *Reader) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	if isOver(r.done) {
		return nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := r.after(func() { cancel(ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }, nil
}

// spawn runs f in a goroutine that Close waits for, unless the reader is closed.
func (r *Reader) spawn(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.group.Go(f)
	return true
}

// locate remembers what it was told: a segment has many chunks.
func (r *Reader) locate(segment ident.CID) (*target, error) {
	if t := r.targets.get(segment); t != nil {
		return t, nil
	}
	l, err := r.cfg.Locate(segment)
	if err != nil {
		return nil, err
	}
	t, err := newTarget(segment, l)
	if err == nil {
		r.targets.put(t)
	}
	return t, err
}

func (r *Reader) fault(node ident.PublicKey, ref shardrpc.Ref, err error) {
	r.cfg.Fault(node, ref, err)
}

// evicted remembers segments that had to go before a good part of them was read: to
// fetch them whole again would be a waste.
func (r *Reader) evicted(e *entry) {
	if n := int64(len(e.sealed)); n > smallSegment && !e.ahead && e.served < n/wholeShare {
		r.plan.rangesOnly(e.segment)
	}
}

// cacheOf returns the cache that has buffers for a segment.
func (r *Reader) cacheOf(t *target) *cache {
	if t.padded() <= shortLimit {
		return r.short
	}
	return r.cache
}

// whole returns a segment from the cache; see cache.acquire.
func (r *Reader) whole(ctx context.Context, t *target) (*entry, func(), error) {
	return r.cacheOf(t).acquire(ctx, t.segment, r.spawn, r.fetcher(t))
}

func (r *Reader) fetcher(t *target) fetcher {
	return func(ctx context.Context, buffer []byte) ([]byte, error) {
		if err := r.fetchWhole(ctx, t, buffer[:t.padded()]); err != nil {
			return nil, err
		}
		return buffer[:t.size()], nil
	}
}
