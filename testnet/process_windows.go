package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"
)

var errNotHere = errors.New("not possible on this system")

func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// processRuns reports whether pid is a live process of program. Its arguments are
// not to be had here.
func processRuns(pid int, program string, _ []string) bool {
	if processEnded(pid) {
		return false
	}
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	name := make([]uint16, windows.MAX_LONG_PATH)
	size := uint32(len(name))
	if err := windows.QueryFullProcessImageName(h, 0, &name[0], &size); err != nil {
		return false
	}
	return strings.EqualFold(filepath.Clean(windows.UTF16ToString(name[:size])), filepath.Clean(program))
}

// processEnded reports whether there is no such process.
func processEnded(pid int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return true
	}
	defer windows.CloseHandle(h)
	s, err := windows.WaitForSingleObject(h, 0)
	return err != nil || s != uint32(windows.WAIT_TIMEOUT)
}

func processStopped(int) bool { return false }

func killProcess(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func endProcess(pid int) error  { return killProcess(pid) }
func stopProcess(int) error     { return errNotHere }
func continueProcess(int) error { return errNotHere }
