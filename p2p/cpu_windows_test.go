package p2p

// ownCPU is not needed where nobody benchmarks.
func ownCPU() float64 { return 0 }
