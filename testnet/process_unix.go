//go:build unix

package testnet

import "syscall"

// ownGroup keeps a terminal's Ctrl-C away from the nodes.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killProcess(pid int) error     { return syscall.Kill(pid, syscall.SIGKILL) }
func endProcess(pid int) error      { return syscall.Kill(pid, syscall.SIGTERM) }
func stopProcess(pid int) error     { return syscall.Kill(pid, syscall.SIGSTOP) }
func continueProcess(pid int) error { return syscall.Kill(pid, syscall.SIGCONT) }
