package bench

// Floor is what an operation costs at least: the sum of its primitives, each for as
// many bytes as the operation cannot do without. All processes share the machine, so
// that client and nodes are added.
type Floor struct {
	Terms []Term
	Cores int
	Disk  float64 // MB/s of the source that the disk can take; 0 is no bound
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

// MBps is the rate at which all cores do nothing else, or that of the disk if it is
// slower; 0 is no floor.
func (f Floor) MBps() float64 {
	if f.CPU() == 0 {
		return 0
	}
	rate := float64(f.Cores) * 1000 / f.CPU()
	if f.Disk > 0 {
		rate = min(rate, f.Disk)
	}
	return rate
}

// work says how much of each byte of a source comes to each step.
type work struct {
	small  bool    // many files, not one
	text   bool    // it compresses
	object bool    // it is hashed as a whole as well: its CID
	cut    float64 // share in files that are long enough to be cut
	fresh  float64 // share that the vault has not seen before
	stored float64 // share that is left of it after deduplication and compression
	spread float64 // n/k: what the code makes of it
}

// putTerms are the steps of a backup.
func putTerms(w work) []Term {
	sent := w.stored * w.spread
	return used(
		Term{Primitive: either(w.small, pReads, pRead), Factor: 1},
		Term{Primitive: pCut, Factor: w.cut},
		Term{Primitive: pName, Factor: 1},
		Term{Primitive: pHash, Factor: sent + either(w.object, 1.0, 0)},
		Term{Primitive: either(w.text, pZstd, pTry), Factor: w.fresh},
		Term{Primitive: pSeal, Factor: w.stored},
		Term{Primitive: pCode, Factor: w.stored},
		Term{Primitive: pChannel, Factor: sent},
		Term{Primitive: pReceive, Factor: sent},
		Term{Primitive: pDurable, Factor: sent},
	)
}

// getTerms are the steps of a restore: nothing is decoded, what was stored once is
// fetched once.
func getTerms(w work) []Term {
	return used(
		Term{Primitive: pServe, Factor: w.stored},
		Term{Primitive: pChannel, Factor: w.stored},
		Term{Primitive: pHash, Factor: w.stored + either(w.object, 1.0, 0)},
		Term{Primitive: pOpen, Factor: w.stored},
		Term{Primitive: pUnzstd, Factor: either(w.text, w.fresh, 0)},
		Term{Primitive: pName, Factor: w.fresh},
		Term{Primitive: either(w.small, pWrites, pDurable), Factor: 1},
	)
}

func either[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// used leaves out what is not used.
func used(terms ...Term) []Term {
	var out []Term
	for _, t := range terms {
		if t.Factor > 0 {
			out = append(out, t)
		}
	}
	return out
}

// floorOf prices terms by primitives. If one of them was not measured there is no
// floor.
func floorOf(terms []Term, primitives []Primitive, cores int) Floor {
	price := map[string]Primitive{}
	for _, p := range primitives {
		price[p.Name] = p // of several runs the last
	}
	f := Floor{Cores: cores}
	for _, t := range terms {
		p, ok := price[t.Primitive]
		if !ok {
			return Floor{}
		}
		t.CPU = t.Factor * p.CPUperGB
		f.Terms = append(f.Terms, t)
		if t.Primitive == pDurable {
			f.Disk = max(p.OneMBps, p.AllMBps) / t.Factor
		}
	}
	return f
}
