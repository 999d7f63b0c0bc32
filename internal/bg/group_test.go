package bg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func untilDone(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestGroupCloseWaitsForAll(t *testing.T) {
	var g Group
	var ended atomic.Int64
	for i := range 5 {
		started := g.Go(fmt.Sprint("task ", i), func(ctx context.Context) error {
			defer ended.Add(1)
			return untilDone(ctx)
		})
		if !started {
			t.Fatal("not started")
		}
	}
	if err := g.Close(t.Context()); err != nil || ended.Load() != 5 {
		t.Errorf("%v, %d ended", err, ended.Load())
	}
	if err := g.Close(t.Context()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestGroupCloseOfNothing(t *testing.T) {
	var g Group
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
	var h Group
	ended := make(chan struct{})
	h.Go("short", func(context.Context) error { close(ended); return nil })
	<-ended
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A context that has ended is no error if there is nothing to wait for.
func TestGroupCloseWithoutTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		var g Group
		if err := g.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGroupStartsNothingAfterClose(t *testing.T) {
	var g Group
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.Go("late", func(context.Context) error { t.Error("it runs"); return nil }) {
		t.Error("started")
	}
}

func TestGroupNamesTheOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		release := make(chan struct{})
		hang := func(context.Context) error { <-release; return nil }
		g.Go("obedient", untilDone)
		g.Go("stubborn b", hang)
		g.Go("stubborn a", hang)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := g.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stubborn a, stubborn b:") || strings.Contains(err.Error(), "obedient") {
			t.Error(err)
		}
		close(release)
		if err := g.Close(t.Context()); err != nil {
			t.Errorf("released: %v", err)
		}
	})
}

func TestGroupLogsFailures(t *testing.T) {
	var out bytes.Buffer
	g := Group{Log: slog.New(slog.NewTextHandler(&out, nil))}
	g.Go("broken", func(context.Context) error { return errBroken })
	g.Go("fine", func(context.Context) error { return nil })
	g.Go("canceled", untilDone)
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if s := out.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `task=broken err="disk on fire"`) {
		t.Error(s)
	}
}

func TestGroupRunsLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		var c counter
		l := NewLoop("test", time.Minute, c.add)
		g.Go("test", l.Run)
		time.Sleep(61 * time.Second)
		c.want(t, 1, "after the interval")
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := l.TriggerWait(t.Context()); err != ErrStopped {
			t.Error(err)
		}
	})
}

// Goroutines start and end while the group is closed: none is lost.
func TestGroupUnderLoad(t *testing.T) {
	var g Group
	var started, ended atomic.Int64
	var starters sync.WaitGroup
	for range 4 {
		starters.Go(func() {
			for g.Go("short", func(context.Context) error { ended.Add(1); return nil }) {
				if started.Add(1) == 1000 {
					if err := g.Close(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	starters.Wait()
	if err := g.Close(t.Context()); err != nil || started.Load() != ended.Load() {
		t.Errorf("%v, %d started, %d ended", err, started.Load(), ended.Load())
	}
}
