//go:build unix

package member

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// BenchmarkLanes takes entries of many devices through both phases at once, on one
// member of eight: what an entry costs in time, in CPU and in flushes. An operation is
// one entry.
func BenchmarkLanes(b *testing.B) {
	for _, devices := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			w := newSoloOf(b, 8)
			lanes := make([]*ledgertest.Lane, devices)
			for i := range lanes {
				lanes[i] = w.vault.Lane(ledgertest.Key(fmt.Sprint("device ", i)))
				w.run(w.owner, w.owner.Enrol(w.vault.Grant(lanes[i].Key, ledger.Append)))
			}
			var cpu time.Duration
			flushes := w.store.transactions(b)
			entries := 0
			for b.Loop() {
				b.StopTimer()
				steps, certs := make([]ledgertest.Step, devices), make([][]byte, devices)
				for i, l := range lanes {
					steps[i] = l.Snapshot(fmt.Sprint(entries), 2)
					certs[i] = w.vault.Certificate(steps[i])
				}
				begin := used(b)
				b.StartTimer()
				w.together(b, steps, certs)
				b.StopTimer()
				cpu += used(b) - begin
				for i, l := range lanes {
					l.Advance(steps[i])
				}
				entries += devices
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(entries), "ms/entry")
			b.ReportMetric(float64(cpu.Microseconds())/1000/float64(entries), "cpu-ms/entry")
			b.ReportMetric(float64(w.store.transactions(b)-flushes)/float64(entries), "flushes/entry")
		})
	}
}

// together has a member vote for entries and acknowledge them, all at the same time.
func (s *solo) together(b *testing.B, steps []ledgertest.Step, certs [][]byte) {
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() {
			_, err := s.store.Propose(s.vault.ID(), step.Proposal, step.Signed, step.Body)
			if err == nil {
				_, err = s.store.Certify(s.vault.ID(), certs[i])
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

// used returns the CPU time of this process.
func used(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
