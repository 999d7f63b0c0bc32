package bg

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

var errBroken = errors.New("disk on fire")

// run runs the loop until the test, or a call of stop, ends it. Inside synctest,
// time is virtual.
func run(t *testing.T, l *Loop) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { stop() })
	synctest.Wait()
	return stop
}

// counter counts runs.
type counter struct{ atomic.Int64 }

func (c *counter) add(context.Context) error { c.Add(1); return nil }

func (c *counter) want(t *testing.T, n int64, when string) {
	t.Helper()
	synctest.Wait()
	if got := c.Load(); got != n {
		t.Fatalf("%s: %d runs; want %d", when, got, n)
	}
}

func TestLoopRunsAtIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		run(t, NewLoop("test", time.Minute, c.add))
		c.want(t, 0, "at first")
		time.Sleep(59 * time.Second)
		c.want(t, 0, "before the interval")
		time.Sleep(2 * time.Second)
		c.want(t, 1, "after the interval")
		time.Sleep(time.Hour)
		c.want(t, 61, "after an hour")
	})
}

// The interval is the pause between runs, however long they take.
func TestLoopIntervalBeginsWithTheEndOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		run(t, NewLoop("test", time.Minute, func(ctx context.Context) error {
			time.Sleep(time.Hour)
			return c.add(ctx)
		}, AtOnce()))
		time.Sleep(61*time.Minute - time.Second)
		c.want(t, 1, "after the first run")
		time.Sleep(time.Hour + 2*time.Second)
		c.want(t, 2, "after the second")
	})
}

func TestLoopAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		run(t, NewLoop("test", time.Minute, c.add, AtOnce()))
		c.want(t, 1, "at first")
		time.Sleep(61 * time.Second)
		c.want(t, 2, "after the interval")
	})
}

func TestLoopFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		run(t, NewLoop("test", time.Hour, c.add, First(time.Minute)))
		time.Sleep(59 * time.Second)
		c.want(t, 0, "before the first run")
		time.Sleep(2 * time.Second)
		c.want(t, 1, "after the first run")
		time.Sleep(59 * time.Minute)
		c.want(t, 1, "before the interval")
		time.Sleep(2 * time.Minute)
		c.want(t, 2, "after the interval")
	})
}

func TestLoopWithoutInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		l := NewLoop("test", 0, c.add)
		run(t, l)
		time.Sleep(time.Hour)
		c.want(t, 0, "after an hour")
		l.Trigger()
		c.want(t, 1, "triggered")
	})
}

func TestTriggerBeginsANewInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		l := NewLoop("test", time.Minute, c.add)
		run(t, l)
		time.Sleep(50 * time.Second)
		l.Trigger()
		c.want(t, 1, "triggered")
		time.Sleep(50 * time.Second)
		c.want(t, 1, "before the interval")
		time.Sleep(11 * time.Second)
		c.want(t, 2, "after the interval")
	})
}

func TestTriggerBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		l := NewLoop("test", time.Minute, c.add)
		l.Trigger()
		l.Trigger()
		run(t, l)
		c.want(t, 1, "at first")
	})
}

// gate lets a test hold a run.
type gate struct {
	entered, leave chan struct{}
	counter
}

func newGate() *gate { return &gate{entered: make(chan struct{}), leave: make(chan struct{})} }

func (g *gate) run(context.Context) error {
	g.entered <- struct{}{}
	<-g.leave
	g.Add(1)
	return nil
}

// A run in progress may have missed what the caller did before: it does not count.
func TestTriggerWaitIsNotContentWithARunInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := NewLoop("test", 0, g.run)
		run(t, l)
		l.Trigger()
		<-g.entered
		returned := make(chan error, 2)
		for range 2 {
			go func() { returned <- l.TriggerWait(t.Context()) }()
		}
		synctest.Wait()
		g.leave <- struct{}{}
		<-g.entered // the second run
		synctest.Wait()
		if len(returned) != 0 {
			t.Error("returned with the end of the first run")
		}
		g.leave <- struct{}{}
		for range 2 {
			if err := <-returned; err != nil {
				t.Error(err)
			}
		}
		g.want(t, 2, "two waiting callers")
	})
}

func TestTriggerWaitReturnsTheRunsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := []error{errBroken, nil}
		l := NewLoop("test", 0, func(context.Context) error {
			err := errs[0]
			errs = errs[1:]
			return err
		}, Log(slog.New(slog.DiscardHandler)))
		run(t, l)
		if err := l.TriggerWait(t.Context()); err != errBroken {
			t.Error(err)
		}
		if err := l.TriggerWait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTriggerWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l := NewLoop("test", 0, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		run(t, l)
		if err := l.TriggerWait(ctx); err != context.DeadlineExceeded {
			t.Error(err)
		}
	})
}

func TestTriggerWaitOnALoopThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoop("test", 0, func(ctx context.Context) error { <-ctx.Done(); return errBroken })
		stop := run(t, l)
		inProgress, next := make(chan error, 1), make(chan error, 1)
		go func() { inProgress <- l.TriggerWait(t.Context()) }()
		synctest.Wait()
		go func() { next <- l.TriggerWait(t.Context()) }()
		synctest.Wait()
		if err := stop(); err != context.Canceled {
			t.Errorf("Run: %v", err)
		}
		if err := <-inProgress; err != errBroken {
			t.Errorf("in progress: %v", err)
		}
		if err := <-next; err != ErrStopped {
			t.Errorf("the next run: %v", err)
		}
		if err := l.TriggerWait(t.Context()); err != ErrStopped {
			t.Errorf("afterwards: %v", err)
		}
		l.Trigger()
		l.Pause()
		l.Resume()
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		l := NewLoop("test", time.Minute, c.add)
		run(t, l)
		l.Pause()
		time.Sleep(time.Hour)
		c.want(t, 0, "paused")
		if err := l.TriggerWait(t.Context()); err != nil {
			t.Error(err)
		}
		c.want(t, 1, "triggered")
		time.Sleep(time.Hour)
		c.want(t, 1, "still paused")
		l.Resume()
		c.want(t, 2, "resumed, and due")
		l.Pause()
		l.Resume()
		c.want(t, 2, "resumed, and not due")
		time.Sleep(61 * time.Second)
		c.want(t, 3, "after the interval")
	})
}

func TestPauseBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		l := NewLoop("test", time.Minute, c.add, AtOnce())
		l.Pause()
		run(t, l)
		c.want(t, 0, "paused")
		l.Resume()
		c.want(t, 1, "resumed")
	})
}

func TestPauseWaitsForTheRunInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := NewLoop("test", time.Minute, g.run, AtOnce())
		run(t, l)
		<-g.entered
		paused := make(chan struct{})
		go func() { l.Pause(); close(paused) }()
		synctest.Wait()
		select {
		case <-paused:
			t.Error("paused while f runs")
		default:
		}
		g.leave <- struct{}{}
		<-paused
		g.want(t, 1, "paused")
	})
}

func TestLoopGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		var out bytes.Buffer
		l := NewLoop("sweeper", time.Minute, func(ctx context.Context) error {
			c.add(ctx)
			return errBroken
		}, Log(slog.New(slog.NewTextHandler(&out, nil))))
		stop := run(t, l)
		time.Sleep(3*time.Minute + time.Second)
		c.want(t, 3, "after three failures")
		stop()
		if n := strings.Count(out.String(), `loop=sweeper err="disk on fire"`); n != 3 {
			t.Errorf("%d failures logged: %s", n, &out)
		}
	})
}

// That a run was cut short by the end of the loop is no failure.
func TestEndOfLoopIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		stop := run(t, NewLoop("test", time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, AtOnce(), Log(slog.New(slog.NewTextHandler(&out, nil)))))
		if err := stop(); err != context.Canceled || out.Len() > 0 {
			t.Errorf("%v, %s", err, &out)
		}
	})
}

func TestRunAfterItsContext(t *testing.T) {
	var c counter
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := NewLoop("test", time.Minute, c.add, AtOnce())
	if err := l.Run(ctx); err != context.Canceled || c.Load() != 0 {
		t.Errorf("%v, %d runs", err, c.Load())
	}
	if err := l.Run(t.Context()); err != ErrRunTwice {
		t.Error(err)
	}
}

// The timer is the only source of time, and jitter only lengthens.
func TestAfterAndJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tick := make(chan time.Time)
		var intervals []time.Duration
		var c counter
		stop := run(t, NewLoop("test", time.Minute, c.add, Jitter(10*time.Second), After(func(d time.Duration) <-chan time.Time {
			intervals = append(intervals, d)
			return tick
		})))
		time.Sleep(time.Hour)
		c.want(t, 0, "without a tick")
		for range 100 {
			tick <- time.Time{}
		}
		c.want(t, 100, "after 100 ticks")
		stop()
		different := map[time.Duration]bool{}
		for _, d := range intervals {
			different[d] = true
			if d < time.Minute || d >= 70*time.Second {
				t.Errorf("interval of %v", d)
			}
		}
		if len(different) < 50 {
			t.Errorf("%d different intervals of %d", len(different), len(intervals))
		}
	})
}

// Many callers at once, with real time: no overlap, no lost caller.
func TestLoopUnderLoad(t *testing.T) {
	var inside, overlaps counter
	l := NewLoop("test", time.Microsecond, func(context.Context) error {
		if inside.Add(1) > 1 {
			overlaps.Add(1)
		}
		inside.Add(-1)
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for range 200 {
				if err := l.TriggerWait(t.Context()); err != nil {
					t.Error(err)
				}
				if i == 0 {
					l.Pause()
					l.Resume()
				}
			}
		})
	}
	callers.Wait()
	cancel()
	if err := <-done; err != context.Canceled || overlaps.Load() > 0 {
		t.Errorf("%v, %d overlaps", err, overlaps.Load())
	}
}
