//go:build unix && !linux

package testnet

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// processRuns reports whether pid is a live process of program with arguments that
// begin with args.
func processRuns(pid int, program string, args []string) bool {
	return !processEnded(pid) && strings.HasPrefix(ps(pid, "command="), strings.Join(append([]string{program}, args...), " "))
}

// processEnded reports whether there is no such process, or only its exit code.
func processEnded(pid int) bool {
	return syscall.Kill(pid, 0) != nil || strings.HasPrefix(ps(pid, "state="), "Z")
}

// processStopped reports whether the process is held by SIGSTOP.
func processStopped(pid int) bool { return strings.HasPrefix(ps(pid, "state="), "T") }

func ps(pid int, field string) string {
	out, err := exec.Command("ps", "-ww", "-o", field, "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
