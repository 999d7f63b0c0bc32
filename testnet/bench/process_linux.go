package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Accounted says that other processes' CPU and memory can be had here.
const Accounted = true

// clockTicks is the unit of /proc/PID/stat, the same on all of Linux's ports.
const clockTicks = 100

// peakEvery is how often a child's peak is read: it is lost with the process.
const peakEvery = 5 * time.Millisecond

// processCPU is what a process has used so far, in seconds.
func processCPU(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Behind the name in brackets: state is the first field, utime and stime the 12th
	// and 13th.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / clockTicks, err
}

// processPeak is the most memory that a process has held since forgetPeak, in bytes.
func processPeak(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(status), "\nVmHWM:")
	if !ok {
		return 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
	}
	line, _, _ := strings.Cut(rest, "\n")
	kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	return kib << 10, err
}

// forgetPeak lets the peak begin anew at what the process holds now. Where that is
// not allowed, the peak stays that of the process's whole life.
func forgetPeak(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// watchPeak follows the peak memory of a child; the function that it returns ends
// that, and gives the peak. The kernel hands the peak of whoever starts a process
// down to it, so that what it says at the end counts only if it is well above our own:
// each processor counts pages for itself, and the sum is read a little wrong.
func watchPeak(pid int) func(*os.ProcessState) int64 {
	own, _ := processPeak(os.Getpid())
	stop, last := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(peakEvery)
		defer tick.Stop()
		var peak int64
		for {
			select {
			case <-stop:
				last <- peak
				return
			case <-tick.C:
				if p, err := processPeak(pid); err == nil {
					peak = max(peak, p)
				}
			}
		}
	}()
	return func(s *os.ProcessState) int64 {
		close(stop)
		peak := <-last
		if u, ok := s.SysUsage().(*syscall.Rusage); ok && u.Maxrss<<10 > own+own/8 {
			peak = u.Maxrss << 10
		}
		return peak
	}
}

// busyCPU is what the whole machine has used so far, in seconds: all programs, the
// kernel, and what was stolen from a virtual machine.
func busyCPU() float64 {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n") // cpu user nice system idle iowait irq softirq steal ...
	var sum float64
	for i, f := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		ticks, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0
		}
		sum += ticks
	}
	return sum / clockTicks
}

// settle writes back what earlier work has left dirty, so that nobody is charged for
// another's bytes.
func settle() { unix.Sync() }
