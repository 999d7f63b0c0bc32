package bench

import (
	"cmp"
	"slices"
)

// Sources of what is measured.
const (
	SourceFile  = "file"  // one large file of incompressible data
	SourceTree  = "tree"  // many small text files
	SourceSmall = "small" // one file of 1 KiB
)

// sample is one operation of one run.
type sample struct {
	part       Part
	source, op string
	bytes      int64 // of the source: what rates and CPU are counted by
	files      int64
	client     cost
	nodesCPU   float64 // seconds
	nodesPeak  int64   // bytes, of the largest node
	restCPU    float64 // seconds of everything else on the machine
	segments   int64   // new ones
	below      bool
	times      []float64 // seconds of each repetition, where there are several
	floor      Floor     // none if it has no terms
}

// Row is one line of the benchmark: an operation over all runs.
type Row struct {
	Part       Part
	Source, Op string
	Bytes      int64
	Files      int64
	Runs       int

	Seconds   Spread
	MBps      Spread  // 10^6 bytes of the source in a second; zero for latencies
	ClientCPU float64 // seconds for 10^9 bytes of the source, median
	NodesCPU  float64 // of all nodes together
	RestCPU   float64 // of everything else meanwhile: the kernel's own threads, and other programs
	ClientMem int64   // peak, bytes, the largest of all runs; 0 if not known
	NodeMem   int64   // of the largest node
	Segments  int64   // new ones, the most of all runs
	Below     bool    // a commit was acknowledged below its target
	Latency   Latency // of operations that are repeated within a run

	Floor Floor // the median floor; none if it has no terms
}

// Spread is the median of several runs and how far they lie apart.
type Spread struct{ Median, Min, Max float64 }

// Latency is how long repetitions took, in seconds.
type Latency struct {
	Count    int
	P50, P99 float64
}

// FloorRatio is how near the rate comes to the floor's; 1 is as near as can be, 0 is
// no floor.
func (r Row) FloorRatio() float64 {
	if r.Floor.MBps() == 0 {
		return 0
	}
	return r.MBps.Median / r.Floor.MBps()
}

// CPURatio is how many times the floor's CPU was used by client and nodes; 0 is no
// floor, or CPU that is not known.
func (r Row) CPURatio() float64 {
	if r.Floor.CPU() == 0 || !Accounted {
		return 0
	}
	return (r.ClientCPU + r.NodesCPU) / r.Floor.CPU()
}

// summarize makes a row of each operation, in the order of the first run.
func summarize(samples []sample) []Row {
	var order []string
	groups := map[string][]sample{}
	for _, s := range samples {
		name := s.source + "/" + s.op
		if groups[name] == nil {
			order = append(order, name)
		}
		groups[name] = append(groups[name], s)
	}
	var rows []Row
	for _, name := range order {
		rows = append(rows, rowOf(groups[name]))
	}
	return rows
}

func rowOf(runs []sample) Row {
	first := runs[0]
	r := Row{Part: first.part, Source: first.source, Op: first.op, Bytes: first.bytes, Files: first.files, Runs: len(runs)}
	perGB := func(s sample, cpu float64) float64 { return cpu / (float64(s.bytes) / 1e9) }
	r.Seconds = spreadOf(runs, func(s sample) float64 { return s.client.seconds })
	if first.times == nil {
		r.ClientCPU = spreadOf(runs, func(s sample) float64 { return perGB(s, s.client.cpu) }).Median
		r.NodesCPU = spreadOf(runs, func(s sample) float64 { return perGB(s, s.nodesCPU) }).Median
		r.RestCPU = spreadOf(runs, func(s sample) float64 { return perGB(s, s.restCPU) }).Median
		r.MBps = spreadOf(runs, func(s sample) float64 { return float64(s.bytes) / 1e6 / s.client.seconds })
	}
	var times []float64
	for _, s := range runs {
		r.ClientMem, r.NodeMem = max(r.ClientMem, s.client.memory), max(r.NodeMem, s.nodesPeak)
		r.Segments, r.Below = max(r.Segments, s.segments), r.Below || s.below
		times = append(times, s.times...)
	}
	r.Latency = latencyOf(times)
	r.Floor = medianBy(runs, func(s sample) float64 { return s.floor.CPU() }).floor
	return r
}

func spreadOf(runs []sample, value func(sample) float64) Spread {
	values := make([]float64, len(runs))
	for i, s := range runs {
		values[i] = value(s)
	}
	return spread(values)
}

// spread sorts values. The median of an even number is the mean of the middle two.
func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.Sort(values)
	n := len(values)
	return Spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

// latencyOf takes the nearest ranks: what half, and 99 of 100, do not exceed.
func latencyOf(times []float64) Latency {
	if len(times) == 0 {
		return Latency{}
	}
	slices.Sort(times)
	rank := func(percent int) float64 { return times[(len(times)*percent+99)/100-1] }
	return Latency{len(times), rank(50), rank(99)}
}

// medianBy returns the element whose value is the (lower) median.
func medianBy[T any](list []T, value func(T) float64) T {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b T) int { return cmp.Compare(value(a), value(b)) })
	return sorted[(len(sorted)-1)/2]
}
