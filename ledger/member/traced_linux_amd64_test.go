package member_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// A traced process stops at each of its system calls, so that it can be killed before
// any one of those that change a file: a transaction of the database is several of them.

// renameat2 has no name in package syscall.
const renameat2 = 316

// writes are the system calls that change what is on the disk, or flush it.
var writes = map[uint64]bool{
	syscall.SYS_WRITE: true, syscall.SYS_PWRITE64: true, syscall.SYS_FSYNC: true, syscall.SYS_FDATASYNC: true,
	syscall.SYS_FTRUNCATE: true, syscall.SYS_RENAME: true, syscall.SYS_RENAMEAT: true, renameat2: true,
	syscall.SYS_UNLINKAT: true, syscall.SYS_MKDIRAT: true,
}

// tracing is the clone, thread and system call events of ptrace, and that nothing lives
// longer than its tracer.
const tracing = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | 1<<20

// stopped is what a system call stop looks like.
const stopped = syscall.SIGTRAP | 0x80

// traceUntil runs a program until its write with a number, and kills it before that is
// made. It returns how many there were, and whether the program came to its end. What it
// prints is not counted: its output is the file that is given.
func traceUntil(t *testing.T, cmd *exec.Cmd, output *os.File, last int) (made int, ended bool) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Skipf("a process cannot be traced here: %v", err)
	}
	group := cmd.Process.Pid
	defer cmd.Process.Release()
	entered := map[int]bool{}
	for first := true; ; first = false {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-group, &status, syscall.WALL, nil)
		switch {
		case errors.Is(err, syscall.ECHILD):
			return made, ended
		case err != nil:
			t.Fatal(err)
		case status.Exited() || status.Signaled():
			ended = ended || pid == group && status.Exited()
			continue
		case first:
			if err := syscall.PtraceSetOptions(pid, tracing); err != nil {
				t.Skipf("a process cannot be traced here: %v", err)
			}
		}
		signal := status.StopSignal()
		switch {
		case signal == stopped:
			if entered[pid] = !entered[pid]; entered[pid] && changes(pid) {
				if made++; made == last {
					syscall.Kill(-group, syscall.SIGKILL)
				}
			}
			signal = 0
		case signal == syscall.SIGTRAP || signal == syscall.SIGSTOP:
			signal = 0
		}
		// A thread that was killed meanwhile cannot go on, and need not.
		_ = syscall.PtraceSyscall(pid, int(signal))
	}
}

// changes says whether a process is about to change a file that is not its output.
func changes(pid int) bool {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(pid, &regs) != nil {
		return false
	}
	return writes[regs.Orig_rax] && !(regs.Orig_rax == syscall.SYS_WRITE && regs.Rdi <= 2)
}
