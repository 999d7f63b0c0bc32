package bench

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A child that holds 96 MiB at its peak and works for a while, while this process
// has held more.
func TestChildIsAccounted(t *testing.T) {
	ballast := make([]byte, 256<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	own, err := processPeak(os.Getpid())
	if err != nil || own < int64(len(ballast)) {
		t.Fatalf("own peak %d, %v", own, err)
	}
	ballast = nil
	cmd := exec.Command("sh", "-c", `x=$(head -c 100000000 /dev/zero | tr '\0' a); i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done`)
	must(t, cmd.Start())
	peak := watchPeak(cmd.Process.Pid)
	must(t, cmd.Wait())
	if got := peak(cmd.ProcessState); got < 90<<20 || got > own {
		t.Errorf("peak %d MiB", got>>20)
	}
	if cpu := cpuOf(cmd.ProcessState); cpu <= 0 || cpu > 60 {
		t.Errorf("%v CPU seconds", cpu)
	}
}

func TestOwnProcess(t *testing.T) {
	before, err := processCPU(os.Getpid())
	must(t, err)
	busy, rusage := busyCPU(), ownCPU()
	for ownCPU()-rusage < 0.1 {
		strings.Repeat("x", 1<<16)
	}
	after, err := processCPU(os.Getpid())
	must(t, err)
	if used := after - before; used < 0.05 || used > 5 {
		t.Errorf("%v seconds used", used)
	}
	if used := busyCPU() - busy; used < 0.05 {
		t.Errorf("%v seconds used by all", used)
	}
	if _, err := processCPU(1 << 30); err == nil {
		t.Error("a process that is not there")
	}
}

func TestForgetPeak(t *testing.T) {
	cmd := exec.Command("sh", "-c", `x=$(head -c 100000000 /dev/zero | tr '\0' a); unset x; echo; read y`)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	_, err = out.Read(make([]byte, 1))
	must(t, err)
	before, err := processPeak(cmd.Process.Pid)
	must(t, err)
	forgetPeak(cmd.Process.Pid)
	after, err := processPeak(cmd.Process.Pid)
	must(t, err)
	if before < 90<<20 || after > before/2 {
		t.Errorf("peak %d MiB, and then %d", before>>20, after>>20)
	}
	must(t, in.Close())
	_ = cmd.Wait() // read fails at the end of its input
}
