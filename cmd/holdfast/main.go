// Command holdfast keeps backups on many independent operators' disks, so that no
// server, no administrator, and no minority of either can destroy them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run())
}

// run ends the command's context at the first signal; the second one ends the
// program at once. A closed terminal is a signal too: whatever was begun is cleaned
// up.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return execute(ctx, os.Args[1:], stdio())
}
