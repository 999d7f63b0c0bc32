package object

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/erasure"
)

func TestPaceGrowsWithLength(t *testing.T) {
	p := pace{least: 50 * time.Millisecond, first: time.Second, extra: newAllowance()}
	if got := p.limit(1 << 20); got != time.Second {
		t.Errorf("nothing known: %v", got)
	}
	p.took(1<<20, 100*time.Millisecond)
	for n, want := range map[int64]time.Duration{
		1 << 20: 300 * time.Millisecond, 4 << 20: 1200 * time.Millisecond, 100: 300 * time.Millisecond,
	} {
		if got := p.limit(n); got != want {
			t.Errorf("%d bytes: %v, want %v", n, got, want)
		}
	}
	for range 100 {
		p.took(100, time.Millisecond)
	}
	if got := p.limit(100); got != p.least {
		t.Errorf("short answers: %v", got)
	}
	if got := p.limit(1 << 20); got != 300*time.Millisecond {
		t.Errorf("long ones are judged by short ones: %v", got)
	}
}

func TestAllowance(t *testing.T) {
	a := newAllowance()
	spent := 0
	for a.spend(1) {
		spent++
	}
	if spent != allowanceMost {
		t.Errorf("%d in hand", spent)
	}
	for range 1000 {
		a.earn()
		if a.spend(1) {
			spent++
		}
	}
	if spent != allowanceMost+100 {
		t.Errorf("%d more requests for 1000", spent-allowanceMost)
	}
}

// A watched request is late by what others take while it is under way, and not before
// there is an allowance for another, or a second has passed.
func TestWatch(t *testing.T) {
	lateAfter := func(p *pace, others time.Duration) time.Duration {
		begun, late := time.Now(), make(chan time.Duration, 1)
		stop := p.watch(1<<20, 1, func() { late <- time.Since(begun) })
		defer stop()
		if others > 0 {
			time.Sleep(others)
			p.took(1<<20, others)
		}
		return <-late
	}
	synctest.Test(t, func(t *testing.T) {
		p := pace{least: 50 * time.Millisecond, first: time.Second, extra: newAllowance()}
		if got := lateAfter(&p, 0); got != time.Second {
			t.Errorf("nothing known: %v", got)
		}
		if got := lateAfter(&p, 5*time.Millisecond); got != 50*time.Millisecond {
			t.Errorf("others took 5 ms: %v", got)
		}
		for p.extra.spend(1) {
		}
		if got := lateAfter(&p, 0); got < time.Second || got > time.Second+p.least {
			t.Errorf("nothing to spend: %v", got)
		}
		stop := p.watch(1<<20, 1, func() { t.Error("late although it was stopped") })
		stop()
		time.Sleep(time.Minute)
	})
}

// One holder that answers late does not set the pace, by ranges or whole: others are
// asked, a few times, and then it is passed over.
func TestSlowHolderDoesNotSetThePace(t *testing.T) {
	const slow, delay = 1, 10 * time.Second
	bubble(t, func(t *testing.T) {
		b := newBed(t, erasure.Code{K: 4, N: 8}, 0)
		w := b.writer()
		data := noise(30<<20, 1)
		c := b.store(w, data)
		b.finish(w)
		b.node(slow).Delay(delay)
		r := b.reader(func(c *ReaderConfig) { c.Hedge = 0 })
		begun, reads := time.Now(), 0
		for rows := c.Rows; len(rows) > 0; rows = rows[rowSize:] {
			r.plan.forget()
			if _, err := load(r, Content{Rows: rows[:rowSize]}); err != nil {
				t.Fatal(err)
			}
			reads++
		}
		asked := b.node(slow).Ranges()
		took := time.Since(begun)
		t.Logf("%d chunks by ranges in %v, the slow holder was asked %d times", reads, took, asked)
		if took > delay/10 || asked == 0 || asked > 4 {
			t.Errorf("%d reads took %v, the slow holder was asked %d times", reads, took, asked)
		}
		begun = time.Now()
		whole := b.reader(func(c *ReaderConfig) { c.Hedge = 0 })
		b.mustLoad(whole, c, data)
		if took := time.Since(begun); took > delay/10 {
			t.Errorf("whole segments took %v", took)
		}
	})
}
