//go:build !linux

package bench

import "os"

// Accounted says that other processes' CPU and memory can be had here.
const Accounted = false

func processCPU(int) (float64, error)            { return 0, nil }
func processPeak(int) (int64, error)             { return 0, nil }
func forgetPeak(int)                             {}
func watchPeak(int) func(*os.ProcessState) int64 { return func(*os.ProcessState) int64 { return 0 } }
func busyCPU() float64                           { return 0 }
func settle()                                    {}
