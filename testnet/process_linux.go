package testnet

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// processRuns reports whether pid is a live process of program with arguments that
// begin with args.
func processRuns(pid int, program string, args []string) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return false // gone, or as good as gone
	}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || strings.TrimSuffix(exe, " (deleted)") != program {
		return false
	}
	words := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	return len(words) > len(args) && slices.Equal(words[1:len(args)+1], args)
}

// processEnded reports whether all threads of a process are gone, and with them its
// sockets and locks. Its first thread can be gone before the others are.
func processEnded(pid int) bool {
	switch processState(pid) {
	case 0:
		return true
	case 'Z':
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		return err != nil || len(threads) <= 1
	}
	return false
}

// processStopped reports whether the process is held by SIGSTOP.
func processStopped(pid int) bool { return processState(pid) == 'T' }

// processState is the third field of /proc/PID/stat, behind the name in brackets; 0
// if there is no such process.
func processState(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(") "))
	if !ok || len(rest) == 0 {
		return 0
	}
	return rest[0]
}
