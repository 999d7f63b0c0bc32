package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

// within reports whether a duration is so long, or a little longer.
func within(d, want time.Duration) bool { return d >= want-want/10 && d <= want+want/10 }

// Law: all transfers of a direction together keep to its limit, in either direction, and
// each of them moves on.
func TestThrottleKeepsToTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, each, transfers = 1 << 20, 2 << 20, 5
		th := newThrottle([]Limit{{Up: limit, Down: limit}}, time.Now)
		for _, move := range []func() error{
			func() error {
				_, err := io.Copy(io.Discard, struct{ io.Reader }{th.down.reader(t.Context(), classPut, bytes.NewReader(make([]byte, each)))})
				return err
			},
			func() error {
				_, err := th.up.writer(t.Context(), classGet, io.Discard).Write(make([]byte, each))
				return err
			},
		} {
			began := time.Now()
			var all sync.WaitGroup
			for range transfers {
				all.Go(func() {
					if err := move(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if took := time.Since(began); !within(took, transfers*each/limit*time.Second) {
				t.Errorf("%d bytes took %v", transfers*each, took)
			}
		}
	})
}

// Law: with as many transfers as are let in at a limit, each stride of each is done well
// within the time that the protocol gives it, also at the smallest limit.
func TestThrottledTransfersMeetTheirDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []Rate{LeastRate, 1 << 20} {
			th := newThrottle([]Limit{{Down: limit}}, time.Now)
			var all sync.WaitGroup
			for {
				done, err := th.down.begin()
				if errors.Is(err, rpc.ErrBusy) {
					break
				}
				must(t, err)
				all.Go(func() {
					defer done()
					r := th.down.reader(t.Context(), classPut, bytes.NewReader(make([]byte, 3*stride)))
					for range 3 {
						began := time.Now()
						if _, err := io.CopyN(io.Discard, r, stride); err != nil {
							t.Error(err)
						}
						if took := time.Since(began); took > 30*time.Second {
							t.Errorf("a stride took %v at %d bytes a second", took, limit)
						}
					}
				})
			}
			all.Wait()
			done, err := th.down.begin()
			must(t, err)
			done()
		}
	})
}

// The limit is the one of the hour, also for a transfer that is under way when the hour
// comes.
func TestThrottleByTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		start, err := time.ParseInLocation("15:04:05", "06:59:00", time.Local)
		must(t, err)
		now := func() time.Time { return start.Add(time.Since(began)) }
		th := newThrottle([]Limit{{From: "07:00", To: "08:00", Up: 1 << 20}}, now)
		w := th.up.writer(t.Context(), classGet, io.Discard)
		write := func(n int) time.Duration {
			at := time.Now()
			_, err := w.Write(make([]byte, n))
			must(t, err)
			return time.Since(at)
		}
		if took := write(50 << 20); took != 0 {
			t.Errorf("before the hour it took %v", took)
		}
		<-time.After(time.Minute)
		if took := write(10 << 20); !within(took, 10*time.Second) {
			t.Errorf("in the hour it took %v", took)
		}
		<-time.After(time.Hour)
		if took := write(50 << 20); took != 0 {
			t.Errorf("after the hour it took %v", took)
		}
	})
}

// A transfer ends with its context, also one that waits for its turn; and what the other
// side does wrong comes back.
func TestThrottleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle([]Limit{{Up: LeastRate, Down: LeastRate}}, time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := th.up.writer(ctx, classGet, io.Discard).Write(make([]byte, 10<<20))
		if err == nil {
			t.Error("a transfer went on without its context")
		}
		if _, err := io.ReadAll(th.down.reader(t.Context(), classPut, io.MultiReader(strings.NewReader("x"), readerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF })))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	})
}

// What is moved is counted by direction and by what it is moved for.
func TestTransfersAreCounted(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	row := len(g.Rows[0])
	b.mustPut(s, g, 0)
	b.wantShard(s, g)
	must(t, s.Slice(t.Context(), ref(g, 0), io.Discard, 0, 100))
	member, err := b.open(b.vault.Members[1].Node.Public(), shardrpc.Credential{Charter: b.vault.Signed})
	must(t, err)
	b.wantShard(member, g)
	moved := map[string]int64{}
	for _, c := range b.node.throttle.status().Classes {
		moved["in "+c.Class], moved["out "+c.Class] = c.In, c.Out
	}
	if moved["in put"] != int64(row) || moved["out repair"] != int64(row) || moved["out get"] < int64(row+100) || moved["out audit"] != 0 || len(moved) != 8 {
		t.Errorf("%v for rows of %d bytes", moved, row)
	}
}

// The larger a limit the more transfers are let in, up to the largest that can be written.
func TestLargeLimitsLetMoreIn(t *testing.T) {
	for _, limit := range []Rate{1 << 30, math.MaxInt64} {
		th := newThrottle([]Limit{{Up: limit}}, time.Now)
		for i := range 1000 {
			if _, err := th.up.begin(); err != nil {
				t.Fatalf("transfer %d at %d bytes a second: %v", i, limit, err)
			}
		}
	}
}
