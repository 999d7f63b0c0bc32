package object

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
)

// WriterConfig says what a commit is made with.
type WriterConfig struct {
	Code      erasure.Code
	Keys      seal.Keys
	Recipient seal.Recipient // the vault's
	Index     seal.Recipient // the lane's index identity's
	Nonce     shardrpc.Nonce
	Placer    Placer
	Holder    func(node ident.PublicKey) shardrpc.Holder

	// Known reports whether a chunk is stored already, by a complete commit of this
	// lane. It is called by many goroutines at once. Nil knows nothing.
	Known func(kind seal.Kind, id seal.ChunkID) bool
	// CheckReceipt judges a holder's receipt; a holder whose receipt is refused
	// counts as one that holds nothing. Nil accepts all.
	CheckReceipt func(node ident.PublicKey, receipt ident.Signed, refs []shardrpc.Ref) error
	// Stored is told of each new chunk and its stored bytes, by many goroutines at
	// once. It must not wait. May be nil.
	Stored   func(bytes int)
	Counters *Counters // may be nil

	// Enough is the least number of shards of each segment that have to be placed;
	// 0 is k+1.
	Enough int
	// InFlight is how many segments are on their way at once; 0 is 2.
	InFlight int
	// Patience is how long the last holders of a segment may take beyond twice the
	// time that the faster half took, before they are replaced; 0 is 15 seconds.
	Patience time.Duration
}

const (
	defaultInFlight = 2
	defaultPatience = 15 * time.Second
	maxCutters      = 4       // streams that are cut at once
	treeLimit       = 8 << 20 // of part A: tree objects beyond it go where the data goes
)

// Writer makes one commit: File and Tree any number of times, from any number of
// goroutines, then Flush, then Finish; or Abort. Checkpoint cuts off a commit before
// and goes on with another one. A failure to store ends all of it: all calls then
// return its cause.
type Writer struct {
	cfg   WriterConfig
	coder *erasure.Coder

	// done ends when the commit fails or is over; cause tells why; fail makes it
	// fail; after calls a function when done ends, until it is stopped.
	done  <-chan struct{}
	cause func() error
	fail  context.CancelCauseFunc
	after func(func()) (stop func() bool)

	cutters *cutters
	chunks  *pool // chunks on their way from the cutter to the packer
	scratch *pool // compressed chunks
	sealed  *pool // segments
	parity  *pool

	gate  gate // chunks that are being stored are inside
	seen  seen
	data  packer
	batch *batch // the open commit; changed only while nobody is inside the gate

	full  chan *segment // sealed segments, for the placing goroutines
	ended chan struct{} // one for each of these that is through

	group sync.WaitGroup // everything that the writer has started

	mu    sync.Mutex
	state state
	stats Stats
}

type state int

const (
	writing state = iota
	flushed
	over
)

// NewWriter begins a commit. The context bounds all of it.
func NewWriter(ctx context.Context, cfg WriterConfig) (*Writer, error) {
	coder, err := erasure.NewCoder(cfg.Code)
	if err != nil {
		return nil, fmt.Errorf("begin commit: %w", err)
	}
	cfg = cfg.withDefaults()
	if cfg.Enough < cfg.Code.K || cfg.Enough > cfg.Code.N {
		return nil, fmt.Errorf("begin commit: %d shards of %v cannot be enough", cfg.Enough, cfg.Code)
	}
	ctx, fail := context.WithCancelCause(ctx)
	size := int(seal.SealedSize(seal.TargetSize(cfg.Code.K), 1))
	cores := runtime.GOMAXPROCS(0)
	w := &Writer{
		cfg: cfg, coder: coder,
		done:    ctx.Done(),
		cause:   func() error { return context.Cause(ctx) },
		fail:    fail,
		after:   func(f func()) func() bool { return context.AfterFunc(ctx, f) },
		cutters: newCutters(cfg.Keys.Chunker, maxCutters),
		chunks:  newBigPool(seal.MaxChunk, cores+4),
		scratch: newBigPool(scratchSize, cores+2),
		sealed:  newBigPool(size, cfg.InFlight+1),
		parity:  newBigPool(parityRows(cfg.Code)*size/cfg.Code.K, cfg.InFlight),
		data:    packer{lock: make(chan struct{}, 1)},
		full:    make(chan *segment),
		ended:   make(chan struct{}, cfg.InFlight),
	}
	w.batch = newBatch(Next{cfg.Nonce, cfg.Placer, cfg.CheckReceipt}, w.seen.turn())
	for range cfg.InFlight {
		w.group.Go(func() { w.placeAll(ctx) })
	}
	return w, nil
}

func (c WriterConfig) withDefaults() WriterConfig {
	if c.Counters == nil {
		c.Counters = &Counters{}
	}
	if c.Known == nil {
		c.Known = func(seal.Kind, seal.ChunkID) bool { return false }
	}
	if c.Stored == nil {
		c.Stored = func(int) {}
	}
	if c.Enough == 0 {
		c.Enough = min(c.Code.K+1, c.Code.N)
	}
	if c.InFlight <= 0 {
		c.InFlight = defaultInFlight
	}
	if c.Patience <= 0 {
		c.Patience = defaultPatience
	}
	return c
}

// enter begins a call that belongs to a state. The context that it returns ends
// with the caller's and with the commit, whose cause it then has; leave ends it.
func (w *Writer) enter(ctx context.Context, in state) (_ context.Context, leave func(), err error) {
	if isOver(w.done) {
		return nil, nil, w.cause()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != in {
		return nil, nil, ErrFlushed
	}
	return w.join(ctx)
}

// join is enter in whatever state.
func (w *Writer) join(ctx context.Context) (_ context.Context, leave func(), err error) {
	if isOver(w.done) {
		return nil, nil, w.cause()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := w.after(func() { cancel(w.cause()) })
	return ctx, func() { stop(); cancel(nil) }, nil
}

// spawn runs f in a goroutine of the writer's, unless the commit is over.
func (w *Writer) spawn(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == over {
		return false
	}
	w.group.Go(f)
	return true
}

// Stats returns what has been stored so far.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// Flush seals what is open and waits until every data segment is placed. It
// returns their number. All calls of File and Tree must have returned.
func (w *Writer) Flush(ctx context.Context) (dataSegments int, err error) {
	ctx, leave, err := w.enter(ctx, writing)
	if err != nil {
		return 0, fmt.Errorf("flush commit: %w", err)
	}
	defer leave()
	w.setState(flushed)
	if err := w.flush(ctx); err != nil {
		w.fail(err)
		return 0, fmt.Errorf("flush commit: %w", err)
	}
	return w.batch.count, nil
}

func (w *Writer) flush(ctx context.Context) error {
	// Chunks of a stream that has failed may still be on their way, and others may
	// rely on them. Nobody enters after them: the gate stays shut.
	if err := w.gate.close(ctx); err != nil {
		return err
	}
	if err := w.closeOpen(ctx.Done(), false); err != nil {
		return orCause(ctx, err)
	}
	close(w.full)
	for range w.cfg.InFlight {
		select {
		case <-w.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if isOver(w.done) {
		return w.cause()
	}
	w.sealed.release()
	w.parity.release()
	return nil
}

// Abort ends the commit and waits for everything that it has started. What holders
// have got they let go of by themselves, after a while. After Finish it does
// nothing; it may be called several times.
func (w *Writer) Abort() {
	w.fail(ErrAborted)
	w.end()
}

// end waits for all goroutines and gives the memory back.
func (w *Writer) end() {
	w.setState(over)
	w.group.Wait()
	w.dropOpen()
	for _, p := range []*pool{w.sealed, w.parity, w.chunks, w.scratch} {
		p.release()
	}
}

func (w *Writer) setState(s state) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = max(w.state, s)
}

// orCause returns why a context has ended, if it has; else err.
func orCause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return context.Cause(ctx)
}
