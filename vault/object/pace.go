package object

import (
	"math/bits"
	"sync"
	"time"
)

// pace says from when on an answer is late: after three times what answers of about
// the same length usually take, and never before the least. While nothing is known,
// that is after first.
type pace struct {
	least, first time.Duration
	extra        *allowance

	mu    sync.Mutex
	usual [paceClasses]time.Duration // moving averages, by class; 0 is not known
}

// Lengths are told apart by powers of two above 64 KiB: below, the round trip is
// most of it.
const (
	paceClasses = 16
	paceShift   = 16
	paceFactor  = 3
)

func paceClass(n int64) int { return min(bits.Len64(uint64(n)>>paceShift), paceClasses-1) }

// limit returns after which time an answer of n bytes is late. Of a length that is not
// known, the next shorter one is taken, as if time grew with length.
func (p *pace) limit(n int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	class := paceClass(n)
	for c := class; c >= 0; c-- {
		if p.usual[c] > 0 {
			return max(p.least, paceFactor*p.usual[c]<<(class-c))
		}
	}
	for c := class; c < paceClasses; c++ {
		if p.usual[c] > 0 {
			return max(p.least, paceFactor*p.usual[c])
		}
	}
	return max(p.least, p.first)
}

func (p *pace) took(n int64, d time.Duration) {
	const weight = 8
	p.extra.earn()
	p.mu.Lock()
	defer p.mu.Unlock()
	u := &p.usual[paceClass(n)]
	if *u == 0 {
		*u = max(d, 1)
	}
	*u = max(*u+(d-*u)/weight, 1)
}

// watch calls late, once, when the answer to a request of n bytes is late and cost
// more requests may be made for it. What other answers take meanwhile counts: so one
// holder that is slow from the beginning is found by the others. Stop ends it; late
// may be running then.
func (p *pace) watch(n, cost int64, late func()) (stop func()) {
	w := &watch{pace: p, n: n, cost: cost, begun: time.Now(), late: late}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(p.least, w.look)
	return w.stop
}

// watch is one request that is watched.
type watch struct {
	pace    *pace
	n, cost int64
	begun   time.Time
	late    func()

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func (w *watch) look() {
	if !w.due() {
		return
	}
	w.late()
}

// due reports whether the time has come; if not, it looks again a little later.
func (w *watch) due() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false
	}
	waited := time.Since(w.begun)
	left := w.pace.limit(w.n) - waited
	if left <= 0 && (w.pace.extra.spend(w.cost) || waited >= w.pace.first) {
		w.stopped = true
		return true
	}
	w.timer.Reset(max(min(left, w.pace.least), w.pace.least/4))
	return false
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// allowance bounds what hedging costs the holders: one request more for ten that were
// answered, with a few in hand. Who has waited for the time that is waited when
// nothing is known needs none.
type allowance struct {
	mu     sync.Mutex
	tenths int64
}

const (
	allowanceShare = 10
	allowanceMost  = 16
)

func newAllowance() *allowance { return &allowance{tenths: allowanceMost * allowanceShare} }

func (a *allowance) earn() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tenths = min(a.tenths+1, allowanceMost*allowanceShare)
}

func (a *allowance) spend(requests int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tenths < requests*allowanceShare {
		return false
	}
	a.tenths -= requests * allowanceShare
	return true
}
