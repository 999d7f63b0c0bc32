package bench

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}

// priced are primitives that each cost another power of two.
func priced(names ...string) []Primitive {
	var list []Primitive
	for i, n := range names {
		list = append(list, Primitive{Name: n, CPUperGB: math.Pow(2, float64(i)), OneMBps: 500, AllMBps: 600})
	}
	return list
}

func TestPutFloor(t *testing.T) {
	w := work{object: true, cut: 1, fresh: 1, stored: 1, spread: 2}
	p := priced(pRead, pCut, pName, pHash, pTry, pSeal, pCode, pChannel, pReceive, pDurable)
	f := floorOf(putTerms(w), p, 2)
	// At 4/8 rows are hashed, sent, received and written twice; the object once more.
	near(t, "CPU", f.CPU(), 1+2+4+3*8+16+32+64+2*128+2*256+2*512)
	near(t, "MB/s", f.MBps(), 2000/f.CPU())
	near(t, "disk", f.Disk, 300)
	for _, term := range f.Terms {
		if term.Primitive == pChannel {
			near(t, "channel", term.CPU, 256)
			near(t, "channel", term.Factor, 2)
		}
	}
}

func TestGetFloor(t *testing.T) {
	w := work{object: true, cut: 1, fresh: 1, stored: 1, spread: 2}
	p := priced(pServe, pChannel, pHash, pOpen, pName, pDurable)
	f := floorOf(getTerms(w), p, 4)
	near(t, "CPU", f.CPU(), 1+2+2*4+8+16+32) // nothing is decoded, nothing is sent twice
	near(t, "MB/s", f.MBps(), 4000/f.CPU())
}

// Of text of which a quarter are copies and a third is left of the rest, a quarter
// is sealed.
func TestTreeFloor(t *testing.T) {
	w := work{small: true, text: true, cut: 0.1, fresh: 0.75, stored: 0.25, spread: 2}
	p := priced(pReads, pCut, pName, pHash, pZstd, pSeal, pCode, pChannel, pReceive, pDurable, pServe, pOpen, pUnzstd, pWrites)
	put := floorOf(putTerms(w), p, 1)
	near(t, "put", put.CPU(), 1+0.1*2+4+0.5*8+0.75*16+0.25*32+0.25*64+0.5*128+0.5*256+0.5*512)
	get := floorOf(getTerms(w), p, 1)
	near(t, "get", get.CPU(), 0.25*1024+0.25*128+0.25*8+0.25*2048+0.75*4096+0.75*4+8192)
	near(t, "get is not bound by the disk", get.Disk, 0)
}

func TestDiskFloor(t *testing.T) {
	f := Floor{Terms: []Term{{CPU: 1}}, Cores: 2, Disk: 150}
	near(t, "slow disk", f.MBps(), 150)
	f.Disk = 5000
	near(t, "fast disk", f.MBps(), 2000)
}

// Without one of the primitives there is no floor, rather than one that is too low.
func TestNoFloor(t *testing.T) {
	f := floorOf(putTerms(work{cut: 1, fresh: 1, stored: 1, spread: 2}), priced(pRead, pCut), 2)
	if f.CPU() != 0 || f.MBps() != 0 || len(f.Terms) != 0 {
		t.Errorf("%+v", f)
	}
	r := Row{MBps: Spread{Median: 100}, ClientCPU: 1}
	if r.FloorRatio() != 0 || r.CPURatio() != 0 {
		t.Errorf("%v, %v", r.FloorRatio(), r.CPURatio())
	}
}

func TestRatios(t *testing.T) {
	r := Row{MBps: Spread{Median: 150}, ClientCPU: 3, NodesCPU: 4, Floor: Floor{Terms: []Term{{CPU: 5}}, Cores: 2}}
	near(t, "rate", r.FloorRatio(), 150.0/400)
	if Accounted {
		near(t, "CPU", r.CPURatio(), 7.0/5)
	}
}

func TestLastRunCounts(t *testing.T) {
	p := append(priced(pRead), Primitive{Name: pRead, CPUperGB: 9})
	near(t, "CPU", floorOf([]Term{{Primitive: pRead, Factor: 1}}, p, 1).CPU(), 9)
}
