package p2p

import (
	"syscall"
	"testing"
	"time"
)

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestBig(t *testing.T) {
	for _, n := range []int{8, 40} {
	c0 := cpu()
	b := time.Now()
	nodes := cluster(t, n, withTiming(func(t *timing) { *t = defaultTiming() }))
	t.Log("up", cpu()-c0, time.Since(b))
	until(t, "one sees all", func() bool { f, _ := nodes[n/2].Nodes(t.Context()); return len(f) == n-1 })
	t.Log("seen", cpu()-c0, time.Since(b))
	time.Sleep(5*time.Second)
	t.Log("later", cpu()-c0)
	}
}
