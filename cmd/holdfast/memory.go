package main

import (
	"os"
	"runtime/debug"
)

// What a node asks of the garbage collector, unless the environment says otherwise:
// a node runs beside others' work for years. What it keeps is a few MiB; most of what
// it allocates are buffers that live for one request, so that a collector that ran
// for each few MiB more would run all the time.
const (
	nodeMemory    = 128 << 20 // soft limit: above it the collector works harder
	nodeGCPercent = 400
)

func saveMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(nodeMemory)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(nodeGCPercent)
	}
}
