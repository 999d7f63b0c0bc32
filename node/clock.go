package node

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/ledger"
)

// This file holds the one rule of when a node does not believe its own clock.
//
// SPEC: a member whose clock jumps, or is far off its peers', treats everything as
// locked.

const (
	// clockTrust is how far a clock may be off.
	clockTrust = 10 * time.Minute
	// clockStep is the least difference, between two looks, that is a jump: what is
	// smaller is how clocks are set right.
	clockStep  = time.Second
	clockEvery = 30 * time.Second

	clockName  = "clock"
	clockLimit = 64
)

// clockWatch judges the clock of this machine: against the time that has really passed
// since the start, against the last time that was written down, and against the
// clocks of other nodes. A jump is in doubt until it is taken back or the node is
// started again, which is for its operator to decide: that all clocks here jumped
// together, and agree, proves nothing.
type clockWatch struct {
	read   func() (wall time.Time, passed time.Duration) // passed never jumps
	others func() (count int, skew time.Duration)        // the others' median less ours
	path   string                                        // of the file that remembers the time

	mu     sync.Mutex
	wall   time.Time
	passed time.Duration
	jumped time.Duration // all jumps together
	last   time.Time     // the latest that was written down
}

// newClockWatch begins to watch. A file that is not there, or cannot be understood, says
// nothing.
func newClockWatch(dir string, now clock, others func() (int, time.Duration)) (*clockWatch, error) {
	start := now()
	w := &clockWatch{
		// Sub goes by the monotonic clock, if now's times have one.
		read:   func() (time.Time, time.Duration) { t := now(); return t.Round(0), t.Sub(start) },
		others: others, path: filepath.Join(dir, clockName),
	}
	w.wall, w.passed = w.read()
	text, err := readSmall(w.path, clockLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read clock: %w", err)
	}
	if t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text))); err == nil {
		w.last = t
	}
	return w, nil
}

// doubt returns nil while the clock can be believed, and ledger.ErrClockDoubt
// otherwise.
func (w *clockWatch) doubt() error {
	count, skew := w.others()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	switch {
	case w.jumped.Abs() > clockTrust:
		return fmt.Errorf("%w: it has jumped by %v since the node was started", ledger.ErrClockDoubt, w.jumped.Round(time.Second))
	case w.last.Sub(w.wall) > clockTrust:
		return fmt.Errorf("%w: it says %s, and %s has been before (%s)", ledger.ErrClockDoubt,
			w.wall.UTC().Format(time.RFC3339), w.last.UTC().Format(time.RFC3339), w.path)
	case count > 0 && skew.Abs() > clockTrust:
		return fmt.Errorf("%w: it is %v from the median of %d other nodes", ledger.ErrClockDoubt, -skew.Round(time.Second), count)
	}
	return nil
}

// look adds up jumps. The caller holds the lock.
func (w *clockWatch) look() {
	wall, passed := w.read()
	if jump := wall.Sub(w.wall) - (passed - w.passed); jump.Abs() >= clockStep {
		w.jumped += jump
	}
	w.wall, w.passed = wall, passed
}

// remember writes the time down, unless it is in doubt.
func (w *clockWatch) remember() error {
	if w.doubt() != nil {
		return nil
	}
	w.mu.Lock()
	now := w.wall
	if now.Before(w.last) {
		now = w.last
	}
	w.last = now
	w.mu.Unlock()
	if err := atomicfile.WriteFile(w.path, []byte(now.UTC().Format(time.RFC3339)+"\n"), 0o644); err != nil {
		return fmt.Errorf("remember clock: %w", err)
	}
	return nil
}
