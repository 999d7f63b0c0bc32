//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyProgress sends on c when somebody asks for a progress line (SIGUSR1).
func notifyProgress(c chan os.Signal) (stop func()) {
	signal.Notify(c, syscall.SIGUSR1)
	return func() { signal.Stop(c) }
}
