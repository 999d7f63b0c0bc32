package bench

// Floor is what an operation costs at least: the sum of its primitives, each for as
// many bytes as the operation cannot do without. All processes share the machine, so
// that client and nodes are added.
type Floor struct {
	Terms []Term
	Cores int
}

// Term is one primitive's share.
type Term struct {
	Primitive string
	Factor    float64 // bytes of the primitive for each byte of the source
	CPU       float64 // seconds for 10^9 bytes of the source: factor times the primitive's
}

// CPU is the floor in seconds for 10^9 bytes of the source; 0 is no floor.
func (f Floor) CPU() float64 {
	var sum float64
	for _, t := range f.Terms {
		sum += t.CPU
	}
	return sum
}

// MBps is the rate at which all cores do nothing else; 0 is no floor.
func (f Floor) MBps() float64 {
	if f.CPU() == 0 {
		return 0
	}
	return float64(f.Cores) * 1000 / f.CPU()
}
