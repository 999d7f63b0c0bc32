package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// Names of the primitives.
const (
	pRead    = "read"
	pReads   = "read files"
	pCut     = "cut"
	pName    = "name"
	pHash    = "hash"
	pTry     = "zstd random"
	pZstd    = "zstd text"
	pUnzstd  = "unzstd text"
	pSeal    = "seal"
	pOpen    = "open"
	pCode    = "code"
	pReceive = "receive"
	pServe   = "serve"
	pChannel = "channel"
	pTCP     = "tcp"
	pDurable = "durable write"
	pKept    = "durable, kept"
	pWrites  = "write files"
)

// What says what the primitive is.
func (p Primitive) What() string {
	return map[string]string{
		pRead:    "a file out of the page cache, and one copy",
		pReads:   "small files out of the page cache, opened and closed",
		pCut:     "chunker, keyed, at our sizes",
		pName:    "keyed BLAKE3 of a chunk",
		pHash:    "BLAKE3 of a row, or of an object",
		pTry:     "the try whether a chunk compresses, which it does not",
		pZstd:    "zstd of text",
		pUnzstd:  "and back; bytes of plaintext",
		pSeal:    "age, a whole segment",
		pOpen:    "and back",
		pCode:    "Reed-Solomon parity; bytes of data",
		pReceive: "BLAKE3 with the Bao outboard, as a row arrives",
		pServe:   "a row out of the page cache, verified",
		pChannel: "p2p streams over loopback, both ends, a host for each node",
		pTCP:     "the same bytes over bare TCP; in no floor",
		pDurable: "rows as files: written, flushed, renamed, folder flushed",
		pKept:    "the same while the page cache grows; in no floor",
		pWrites:  "small files: created, written, renamed",
	}[p.Name]
}

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
	AllMBps  float64 // Copies at a time
	Copies   int     // as many as there are cores, or nodes
	CPUperGB float64 // seconds for 10^9 bytes, Copies at a time
}

// doer handles some bytes whenever it is called, and says how many.
type doer func() (int64, error)

// kernel makes a primitive's doers.
type kernel struct {
	name   string
	copies int  // 0: as many as there are cores
	slow   bool // it waits for a disk: measured for longer
	make   func(i int) (doer, error)
	close  func() error // may be nil
}

// measurePrimitives measures them one after another.
func (b *bench) measurePrimitives(ctx context.Context) (err error) {
	dir := filepath.Join(b.Dir, "primitives")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	makers := []func(context.Context, string) ([]kernel, error){b.memoryKernels, b.fileKernels, b.channelKernels, b.diskKernels}
	for _, maker := range makers {
		kernels, err := maker(ctx, dir)
		if err != nil {
			return err
		}
		for i, k := range kernels {
			err := b.measurePrimitive(ctx, k)
			if err != nil {
				return errors.Join(err, closeAll(kernels[i+1:]))
			}
		}
	}
	return nil
}

func closeAll(kernels []kernel) error {
	var err error
	for _, k := range kernels {
		if k.close != nil {
			err = errors.Join(err, k.close())
		}
	}
	return err
}

// tries is how often each primitive is measured: the best counts, since a floor is
// what can be reached when nobody else is about.
const tries = 3

// slowTimes is how much longer a primitive of the disk is measured.
const slowTimes = 4

func (b *bench) measurePrimitive(ctx context.Context, k kernel) (err error) {
	defer func() { err = errors.Join(err, closeAll([]kernel{k})) }()
	if k.copies == 0 {
		k.copies = b.machine.Cores
	}
	doers := make([]doer, k.copies)
	for i := range doers {
		if doers[i], err = k.make(i); err != nil {
			return fmt.Errorf("measure %s: %w", k.name, err)
		}
	}
	settle()
	span := b.Each / tries
	if k.slow {
		span *= slowTimes
	}
	one, err := best(ctx, doers[:1], span)
	if err != nil {
		return fmt.Errorf("measure %s: %w", k.name, err)
	}
	all, err := best(ctx, doers, span)
	if err != nil {
		return fmt.Errorf("measure %s: %w", k.name, err)
	}
	p := Primitive{k.name, one.rate, all.rate, k.copies, all.cpu}
	b.primitives = append(b.primitives, p)
	b.Progress(fmt.Sprintf("%s: %.0f MB/s, %d at once %.0f MB/s, %.3f CPU s/GB", p.Name, p.OneMBps, p.Copies, p.AllMBps, p.CPUperGB))
	return nil
}

// speed is a rate in MB/s and the CPU seconds that this process spent on 10^9 bytes.
type speed struct{ rate, cpu float64 }

// best lets doers work several times for a span, and takes the best of each figure.
func best(ctx context.Context, doers []doer, span time.Duration) (speed, error) {
	for _, do := range doers { // once to warm up
		if _, err := do(); err != nil {
			return speed{}, err
		}
	}
	runtime.GC() // what earlier work has left
	best := speed{}
	for range tries {
		s, err := drive(ctx, doers, span)
		if err != nil {
			return speed{}, err
		}
		if best == (speed{}) {
			best = s
		}
		best = speed{max(best.rate, s.rate), min(best.cpu, s.cpu)}
	}
	return best, nil
}

// drive lets all doers work for a while.
func drive(ctx context.Context, doers []doer, span time.Duration) (speed, error) {
	done := make([]int64, len(doers))
	before, begun := ownCPU(), time.Now()
	var g errgroup.Group
	for i, do := range doers {
		g.Go(func() error {
			for ctx.Err() == nil && (done[i] == 0 || time.Since(begun) < span) {
				n, err := do()
				if err != nil {
					return err
				}
				done[i] += n
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return speed{}, err
	}
	took, used := time.Since(begun).Seconds(), ownCPU()-before
	var sum float64
	for _, n := range done {
		sum += float64(n)
	}
	return speed{sum / 1e6 / took, used / (sum / 1e9)}, nil
}

// merge makes one of the same primitives of several runs: medians.
func merge(all []Primitive) []Primitive {
	var out []Primitive
	at := map[string][]Primitive{}
	for _, p := range all {
		if at[p.Name] == nil {
			out = append(out, p)
		}
		at[p.Name] = append(at[p.Name], p)
	}
	for i, p := range out {
		var one, rate, cpu []float64
		for _, r := range at[p.Name] {
			one, rate, cpu = append(one, r.OneMBps), append(rate, r.AllMBps), append(cpu, r.CPUperGB)
		}
		out[i].OneMBps, out[i].AllMBps, out[i].CPUperGB = spread(one).Median, spread(rate).Median, spread(cpu).Median
	}
	return out
}
