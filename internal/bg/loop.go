package bg

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

var (
	// ErrStopped says that a loop has ended and will not run any more.
	ErrStopped = errors.New("loop has stopped")

	// ErrRunTwice says that Run was called for the second time.
	ErrRunTwice = errors.New("loop was run twice")
)

// Loop calls a function again and again: when an interval has passed, and whenever
// it is triggered. Calls never overlap. Its methods may be called by any goroutine,
// before, during and after Run; inside the function, only Trigger and Resume.
type Loop struct {
	name   string
	every  time.Duration
	first  time.Duration
	f      func(ctx context.Context) error
	atOnce bool
	jitter time.Duration
	after  func(time.Duration) <-chan time.Time
	log    *slog.Logger

	wake chan struct{} // holds one when the state below has changed

	mu        sync.Mutex
	started   bool
	ended     bool
	paused    bool
	triggered bool
	waiting   []chan<- error // for the end of the next run
	running   chan struct{}  // closed at the end of this run; nil between runs
}

// Option changes what NewLoop makes.
type Option func(*Loop)

// AtOnce lets the first run begin with Run, not an interval later.
func AtOnce() Option { return func(l *Loop) { l.atOnce = true } }

// First sets when the first run begins after Run, where that is not an interval later: the
// loops of a program that is started often would else never run.
func First(d time.Duration) Option { return func(l *Loop) { l.first = d } }

// Jitter lengthens each interval by a random time below d, so that the loops of
// many nodes do not fall into step.
func Jitter(d time.Duration) Option { return func(l *Loop) { l.jitter = d } }

// After replaces time.After.
func After(f func(time.Duration) <-chan time.Time) Option { return func(l *Loop) { l.after = f } }

// Log replaces slog.Default, which is told of the runs that fail.
func Log(log *slog.Logger) Option { return func(l *Loop) { l.log = log } }

// NewLoop makes a loop that calls f; every is the time from the end of one run to
// the start of the next. If it is zero, f runs only when it is triggered. Nothing
// happens before Run.
func NewLoop(name string, every time.Duration, f func(ctx context.Context) error, opts ...Option) *Loop {
	l := &Loop{name: name, every: every, first: every, f: f, after: time.After, log: slog.Default(), wake: make(chan struct{}, 1)}
	for _, o := range opts {
		o(l)
	}
	return l
}

// Run calls f until ctx ends, and returns ctx's error. An error of f is logged and
// changes nothing else. Run can be called once.
func (l *Loop) Run(ctx context.Context) error {
	if !l.start() {
		return ErrRunTwice
	}
	defer l.end()
	due, tick := l.atOnce, l.interval(l.first)
	for ctx.Err() == nil {
		if waiting, ok := l.begin(due); ok {
			l.finish(waiting, l.call(ctx))
			due, tick = false, l.interval(l.every)
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-tick:
			due = true
		}
	}
	return ctx.Err()
}

// interval returns what will tell that the next run is due, d from now or a little later;
// nil if it never is.
func (l *Loop) interval(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	if l.jitter > 0 {
		d += rand.N(l.jitter)
	}
	return l.after(d)
}

func (l *Loop) call(ctx context.Context) error {
	err := l.f(ctx)
	if err != nil && ctx.Err() == nil {
		l.log.WarnContext(ctx, "background run failed", "loop", l.name, "err", err)
	}
	return err
}

// Trigger asks for a run, also of a loop that is paused: now, or at the end of the
// run in progress. Several triggers before a run ask for one run.
func (l *Loop) Trigger() {
	l.mu.Lock()
	l.triggered = true
	l.mu.Unlock()
	l.signal()
}

// TriggerWait asks for a run that begins after this call, waits for its end, and
// returns its error. It is ErrStopped if the loop ends first, and ctx's error if
// ctx does; then the run may still take place.
func (l *Loop) TriggerWait(ctx context.Context) error {
	result := make(chan error, 1)
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return ErrStopped
	}
	l.triggered = true
	l.waiting = append(l.waiting, result)
	l.mu.Unlock()
	l.signal()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Pause stops the timer and waits for the run in progress. When it returns nothing
// runs, and nothing will until Resume or a trigger.
func (l *Loop) Pause() {
	l.mu.Lock()
	l.paused = true
	running := l.running
	l.mu.Unlock()
	if running != nil {
		<-running
	}
}

// Resume undoes Pause. A run that fell due meanwhile begins at once.
func (l *Loop) Resume() {
	l.mu.Lock()
	l.paused = false
	l.mu.Unlock()
	l.signal()
}
