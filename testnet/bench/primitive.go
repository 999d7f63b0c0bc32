package bench

import (
	"context"
	"runtime"
)

// Machine says on what was measured.
type Machine struct {
	System string
	Cores  int
}

func thisMachine() Machine {
	return Machine{runtime.GOOS + "/" + runtime.GOARCH, runtime.GOMAXPROCS(0)}
}

// Primitive is one thing that the data path is made of, alone on this machine.
type Primitive struct {
	Name     string
	OneMBps  float64 // one at a time
	AllMBps  float64 // as many at once as there are cores
	CPUperGB float64 // seconds for 10^9 bytes, all cores busy
}

func merge(p []Primitive) []Primitive { return p }

func (b *bench) measurePrimitives(context.Context) error { return nil }
